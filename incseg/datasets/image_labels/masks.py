from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from incseg.datasets.image_labels.base import BaseImageLabels
from incseg.datasets.joined_dataset import JoinedDataset
from incseg.datasets.seg_dataset import SegDataset
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import TASK_UTILS
from incseg.utils.distributed import on_rank_zero
from incseg.utils.rules import any_of, expected


@TASK_UTILS.register_module()
class MaskImageLabels(BaseImageLabels):
    """Image-level labels derived from the masks: the classes with at least one pixel.

    Void (255) is not a class.  The masks are scanned once, with the cached
    class index that also selects the images of a step.
    """

    reads_masks: ClassVar[bool] = True

    @cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        presence = on_rank_zero(self.dataset.presence)
        return dict(zip(self.dataset.image_ids, presence, strict=True))

    def class_ids(self, image_id: str) -> Iterable[int]:
        """Return the dataset ids that occur in the image's mask.

        Raises:
            MissingFileError: The data set does not have the image.
        """
        if image_id not in self._rows:
            raise MissingFileError(
                f'image {image_id!r} is not one of the {len(self._rows)} images of '
                f'{type(self.dataset).__name__} {"+".join(self.dataset.splits)}, from whose masks '
                'image-level labels are derived'
            )
        return np.flatnonzero(self._rows[image_id]).tolist()


@TASK_UTILS.register_module()
class PartImageLabels(BaseImageLabels):
    """Image-level labels of a :class:`JoinedDataset`, each part from its own source.

    Args:
        dataset: The joined data set.
        parts: Config of the source by the name of the split, as in
            ``dict(voc_train_aug=dict(type='VOCXMLImageLabels'))``.  The source
            uses the class names of the part.  A part without a config has
            :class:`MaskImageLabels`.

    Raises:
        InvalidInputError: The data set is not joined, or has no such split.
        MissingFileError: The masks of a part are read, and one is missing.
    """

    def __init__(self, dataset: SegDataset, parts: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(dataset)
        if not isinstance(dataset, JoinedDataset):
            raise InvalidInputError(
                f'PartImageLabels are for joined data sets; {type(dataset).__name__} is none'
            )
        unknown = [name for name in parts if name not in dataset.splits]
        if unknown:
            raise expected('a name in parts of PartImageLabels', unknown[0], any_of(dataset.splits))
        self.joined = dataset
        self.sources = [
            TASK_UTILS.build(
                dict(parts.get(split) or dict(type='MaskImageLabels')),
                default_args=dict(dataset=part),
            )
            for split, part in zip(dataset.splits, dataset.parts)
        ]
        for source, part in zip(self.sources, dataset.parts):
            if source.reads_masks and not part.has_mask.all():
                first = int(np.flatnonzero(~part.has_mask)[0])
                path = part.get_data_info(first)['seg_map_path']
                raise MissingFileError(
                    f'label map {path!r} does not exist, and PartImageLabels read the masks of '
                    f'{type(part).__name__}; name another source in its parts'
                )

    def class_ids(self, image_id: str) -> Iterable[int]:
        """Return the joined dataset ids of the classes that the source of the image's part names.

        Raises:
            MissingFileError: The data set does not have the image.
        """
        if image_id not in self._rows:
            raise MissingFileError(
                f'image {image_id!r} is not one of the {len(self._rows)} images of '
                f'{type(self.dataset).__name__} {"+".join(self.dataset.splits)}'
            )
        return np.flatnonzero(self._rows[image_id]).tolist()

    @cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        rows = [
            source.labels(part.image_ids) for source, part in zip(self.sources, self.joined.parts)
        ]
        return dict(zip(self.joined.image_ids, self.joined.joined_rows(rows)))
