from collections.abc import Iterable
from functools import cached_property
from typing import ClassVar

import numpy as np

from incseg.datasets.image_labels.base_image_labels import BaseImageLabels
from incseg.datasets.rank_zero import on_rank_zero
from incseg.errors import MissingFileError
from incseg.registry import TASK_UTILS


@TASK_UTILS.register_module()
class MaskImageLabels(BaseImageLabels):
    """Image-level labels derived from the masks: the classes with at least one pixel.

    Void (255) is no class.  The masks are scanned once, with the cached class
    index that also selects the images of a step.
    """

    reads_masks: ClassVar[bool] = True

    @cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        presence = on_rank_zero(self.dataset.presence)
        return dict(zip(self.dataset.image_ids, presence, strict=True))

    def class_ids(self, image_id: str) -> Iterable[int]:
        """Dataset ids that occur in the image's mask."""
        if image_id not in self._rows:
            raise MissingFileError(
                f'image {image_id!r} is not one of the {len(self._rows)} images of '
                f'{type(self.dataset).__name__} {"+".join(self.dataset.splits)}, from whose masks '
                'image-level labels are derived')
        return np.flatnonzero(self._rows[image_id]).tolist()
