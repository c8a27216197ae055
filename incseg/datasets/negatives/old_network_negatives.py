from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from incseg.datasets.seg_dataset import SegDataset


class OldNetworkNegatives(ABC):
    """What the network of the step before adds to the images of a step.

    That is further images without any new class, and maybe further classes to
    tell the new ones from; see :class:`WeakDataset`.  The network knows nothing
    of the new classes: it takes them for background or for an old class.

    Attributes:
        class_ids: dataset ids of the further classes.
        image_labels: bool ``(images of the step, len(class_ids))``: which of
            them each image shows.
        further_labels: bool ``(len(self), len(class_ids))``, the same of the
            further images.
    """

    class_ids: tuple[int, ...] = ()
    image_labels: np.ndarray
    further_labels: np.ndarray

    @abstractmethod
    def look(self, label: np.ndarray, confidence: np.ndarray) -> Any:
        """What to remember of an image.

        Args:
            label: uint8 ``(H, W)``, the most likely class: 0 or the dataset id
                of an old class.
            confidence: float32 ``(H, W)``, its probability.

        Returns:
            Plain data, which processes send each other.
        """

    @abstractmethod
    def gather(self, dataset: SegDataset, indices: Sequence[int], found: Sequence[Any]) -> None:
        """Make images and classes of what was found; sets the attributes.

        Args:
            dataset: the data set.
            indices: which of its images the step has.
            found: what :meth:`look` said of each of them.

        Raises:
            InvalidInputError: nothing was found that helps.
        """

    @abstractmethod
    def __len__(self) -> int:
        """How many further images there are."""

    @abstractmethod
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """``image_id`` and ``img`` or ``img_path`` of a further image."""
