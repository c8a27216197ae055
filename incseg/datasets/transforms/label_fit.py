"""Whether a label map fits its picture, also where the picture has an EXIF orientation."""

import numpy as np

from incseg.datasets.picture_files import check_size, doubtful, fits_either_way, warn_of_turn
from incseg.utils.pictures.rule import PLAIN
from incseg.utils.rules import expected


def check_fit(label_map: np.ndarray, name: str, results: dict) -> None:
    """Refuse a label map of another dtype, shape or size than its picture asks for.

    Args:
        label_map: uint8 ``(H, W)``.
        name: Its name in errors.
        results: The sample, with ``ori_shape`` and the other results of :class:`LoadImage`.

    Raises:
        InvalidInputError: It does not fit; a turn by the EXIF orientation that would make it
            fit is named.
    """
    if label_map.dtype != np.uint8 or label_map.ndim != 2:
        raise expected(
            f'dtype and shape of label map {name!r}',
            (str(label_map.dtype), label_map.shape),
            'uint8 and (H, W)',
        )
    check_size(
        label_map.shape,
        name,
        results['ori_shape'],
        results.get('img_path', 'in memory'),
        results.get('orientation', 1),
        results.get('picture_rule', PLAIN),
    )


def notice_orientation(label_map: np.ndarray, results: dict) -> None:
    """Warn of the first picture that was turned although its size does not show that it fits.

    A run warns at its start, see :func:`incseg.datasets.picture_files.check_sizes`.

    A picture that is as high as wide, or is turned by 180 degrees or mirrored, has the size of
    its label map in either case.
    """
    orientation = results.get('orientation', 1)
    size = label_map.shape[:2]
    applied = results.get('picture_rule', PLAIN).exif == 'apply'
    fits = size == tuple(results['ori_shape']) and fits_either_way(orientation, size)
    if applied and fits and not doubtful:
        warn_of_turn(results['img_path'], orientation)
