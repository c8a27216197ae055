from collections.abc import Sequence

import numpy as np

from incseg.datasets.negatives.old_network_negatives import OldNetworkNegatives
from incseg.datasets.seg_dataset import SegDataset
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS


@DATASETS.register_module()
class OldModelLabels(OldNetworkNegatives):
    """Old classes that the network of the step before finds, as classes of their own.

    The classifier then has to tell the new class from them.  What it learns of
    them is for training alone: pseudo-labels hold new classes only.  Of the
    background nothing more is known, as it is in every image, too.

    Args:
        share: an image shows an old class if at least this share of its pixels
            is predicted as that class.

    Raises:
        InvalidInputError: ``share`` is out of range.
    """

    def __init__(self, share: float = 0.01) -> None:
        if not 0 < share <= 1:
            raise InvalidInputError(
                f'seam.negatives.share is {share!r}; allowed is above 0, up to 1')
        self.share = share

    def look(self, label: np.ndarray, confidence: np.ndarray) -> list[int]:
        """Dataset ids of the old classes in an image."""
        pixels = np.bincount(label.ravel(), minlength=256)
        pixels[0] = 0
        return np.flatnonzero(pixels >= self.share * label.size).tolist()

    def gather(
        self, dataset: SegDataset, indices: Sequence[int], found: Sequence[list[int]]
    ) -> None:
        """Take the classes that are in some images and not in others.

        Raises:
            InvalidInputError: there is none.
        """
        shown = np.zeros((len(found), 256), np.bool_)
        for row, ids in zip(shown, found, strict=True):
            row[ids] = True
        useful = shown.any(0) & ~shown.all(0)
        if not useful.any():
            raise InvalidInputError(
                f"seam.negatives=dict(type='OldModelLabels', share={self.share}): the network of "
                'the step before finds no old class that some of the '
                f'{len(found)} images show and others do not; lower the share, or take another '
                'of seam.negatives')
        self.class_ids = tuple(np.flatnonzero(useful).tolist())
        self.image_labels = shown[:, useful]
