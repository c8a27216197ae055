import functools

import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.label_files import read_label_file
from incseg.datasets.label_reader import MAX_CLASSES, LabelReader
from incseg.errors import InvalidInputError
from incseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadLabels(BaseTransform):
    """Load the label map that belongs to the image.

    Ids of the file become dataset ids by the sample's ``label_reader``, and
    train ids if the sample has a ``label_lut`` (uint8 ``(256,)``): both tables
    are composed, so the mask is mapped once and stays uint8.  A ``gt_seg_map``
    that the sample brings along holds dataset ids.

    Comes after :class:`LoadImage`, and before everything that moves the image
    except a :class:`Resize` (labels then keep their own size, for evaluation).
    Adds ``gt_seg_map`` (uint8 ``(H, W)``) and its name to ``seg_fields``.

    Raises:
        MissingFileError: the label file does not exist.
        InvalidInputError: the label file is no label map, has an id outside
            the data set, or another size than its image.
    """

    def transform(self, results: dict) -> dict:
        if 'moved_by' in results:
            name = type(self).__name__
            raise InvalidInputError(
                f'pipeline has {name} after a {results["moved_by"]}, which left the labels '
                f'behind; allowed is {name} first')
        raw, name, reader = self.read(results)
        _check_fit(raw, name, results)
        reader = reader or reader_in_memory(MAX_CLASSES)
        results['gt_seg_map'] = reader.convert(raw, name, results.get('label_lut'))
        fields = results.setdefault('seg_fields', [])
        if 'gt_seg_map' not in fields:
            fields.append('gt_seg_map')
        return results

    def read(self, results: dict) -> tuple[np.ndarray, str, LabelReader | None]:
        """The raw label map, its name in errors, and what its ids mean (None: dataset ids)."""
        reader: LabelReader | None = results.get('label_reader')
        if 'gt_seg_map' not in results:
            name = results['seg_map_path']
            return read_label_file(name), name, reader
        reader = None if reader is None else reader_in_memory(reader.num_classes)
        return results['gt_seg_map'], f'gt_seg_map of {results.get("image_id")}', reader

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _check_fit(label: np.ndarray, name: str, results: dict) -> None:
    if label.dtype != np.uint8 or label.ndim != 2:
        raise InvalidInputError(
            f'label map {name!r} is {label.dtype} {label.shape}; allowed is uint8 (H, W)')
    if label.shape != tuple(results['ori_shape']):
        sizes = [f'{height} x {width}' for height, width in (label.shape, results['ori_shape'])]
        raise InvalidInputError(
            f'label map {name!r} is {sizes[0]} but its image '
            f'{results.get("img_path", "in memory")!r} is {sizes[1]} (height x width); '
            'allowed is the same size')


@functools.lru_cache
def reader_in_memory(num_classes: int) -> LabelReader:
    """Arrays hold dataset ids, whatever the files of the data set hold."""
    return LabelReader(num_classes)
