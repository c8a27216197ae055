"""VOC's folder ``SegmentationClassAug``, made from the original downloads of VOC and SBD."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from incseg.datasets.label_maps.label_file import read_label_file, write_label_file
from incseg.datasets.list_files import Places, read_id_list
from incseg.datasets.sources.voc import voc_aug_ids
from incseg.errors import InvalidInputError, MissingFileError

SOURCE = (
    'get VOCtrainval_11-May-2012.tar from the PASCAL VOC 2012 site and benchmark.tgz '
    '(benchmark_RELEASE) of the Semantic Boundaries Dataset'
)


def make_sbd_masks(
    voc_root: str | Path,
    sbd_root: str | Path,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write the masks of VOC 2012 augmented as palette PNGs.

    VOC's own ``train`` and ``val`` masks are copied with their void borders;
    all other training images have SBD's mask, which has no void.  Existing
    masks are kept.

    Args:
        voc_root: ``VOCdevkit/VOC2012``, with ``SegmentationClass`` and the lists.
        sbd_root: ``benchmark_RELEASE/dataset``, with ``cls/*.mat`` and the lists.
        report: Called with (done, total) after every mask.

    Returns:
        Number of masks in ``SegmentationClassAug``: 12,031 for the standard set.

    Raises:
        MissingFileError: A list or mask is missing, or scipy is not installed.
        InvalidInputError: A ``.mat`` file is not one of SBD's.
    """
    voc, sbd = Path(voc_root), Path(sbd_root)
    out = voc / 'SegmentationClassAug'
    lists = str(voc / 'ImageSets/Segmentation/{split}.txt')
    places = Places(str(voc), str(voc / 'JPEGImages'), str(out), ('.jpg',))
    voc_names = {
        name
        for split in ('train', 'val')
        for name in read_id_list(lists.format(split=split), SOURCE, places)
    }
    names = sorted(voc_names.union(voc_aug_ids(lists, str(voc), str(sbd), SOURCE, places)))
    out.mkdir(exist_ok=True)
    for done, name in enumerate(names, 1):
        target = out / f'{name}.png'
        if not target.exists():
            mask = (
                read_label_file(voc / f'SegmentationClass/{name}.png')
                if name in voc_names
                else (read_sbd_mask(sbd / f'cls/{name}.mat'))
            )
            write_label_file(target, mask)
        report(done, len(names))
    return len(names)


def read_sbd_mask(path: Path) -> np.ndarray:
    """Read a mask from one of SBD's files ``cls/*.mat``.

    Args:
        path: The file.

    Returns:
        uint8 ``(H, W)`` of VOC's classes, 0 (background) to 20; there is no void.

    Raises:
        MissingFileError: The file is missing, or scipy is not installed.
        InvalidInputError: The file is not a class mask of SBD.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise MissingFileError(
            'SBD keeps its masks as .mat files; reading them needs scipy: pip install scipy'
        ) from error
    if not path.is_file():
        raise MissingFileError(f'no SBD mask at {path}; {SOURCE}')
    try:
        return np.asarray(loadmat(str(path))['GTcls'][0]['Segmentation'][0], np.uint8)
    except Exception as error:
        raise InvalidInputError(f'{path} is not a class mask of SBD: {error}') from error
