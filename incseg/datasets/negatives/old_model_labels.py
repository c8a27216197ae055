from collections.abc import Sequence
from typing import Any

import numpy as np

from incseg.datasets.negatives.background_crops import PART, BackgroundCrops, Box
from incseg.datasets.seg_dataset import SegDataset
from incseg.protocols.value_rules import checked
from incseg.registry import DATASETS


@DATASETS.register_module()
class OldModelLabels(BackgroundCrops):
    """Old classes that the network of the step before finds, as classes of their own.

    The classifier then has to tell the new class from them.  Image-level labels
    of old classes alone would not do: the new class would still be in every
    image, and a constant its best score.  So the crops of
    :class:`BackgroundCrops`, labelled in the same way, come with them.

    What is learned of the old classes is for training alone: pseudo-labels hold
    new classes only.

    Args:
        label_share: an image or a crop shows an old class if at least this
            share of its pixels is predicted as that class.
        **kwargs: of :class:`BackgroundCrops`.

    Raises:
        InvalidInputError: an argument is out of range.
    """

    def __init__(self, label_share: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.label_share = checked('seam.negatives.label_share', label_share, PART)

    def look(  # type: ignore[override]
        self, label: np.ndarray, confidence: np.ndarray
    ) -> tuple[list[int], Box | None, list[int]]:
        """Old classes in an image, its crop, and old classes in that."""
        box = super().look(label, confidence)
        if box is None:
            return self.classes_in(label), None, []
        top, left, height, width = box
        return (self.classes_in(label), box,
                self.classes_in(label[top:top + height, left:left + width]))

    def classes_in(self, label: np.ndarray) -> list[int]:
        """Dataset ids of the old classes in a part of an image."""
        pixels = np.bincount(label.ravel(), minlength=256)
        pixels[0] = 0
        return np.flatnonzero(pixels >= self.label_share * label.size).tolist()

    def gather(self, dataset: SegDataset, indices: Sequence[int], found: Sequence[Any]) -> None:
        """Keep the crops, and every class that one of the images or crops shows.

        Raises:
            InvalidInputError: no image has a crop.
        """
        super().gather(dataset, indices, [box for _, box, _ in found])
        in_images = rows([ids for ids, _, _ in found])
        in_crops = rows([ids for _, box, ids in found if box is not None])
        shown = in_images.any(0) | in_crops.any(0)
        self.class_ids = tuple(np.flatnonzero(shown).tolist())
        self.image_labels, self.further_labels = in_images[:, shown], in_crops[:, shown]


def rows(ids: Sequence[Sequence[int]]) -> np.ndarray:
    """Lists of dataset ids as bool ``(len(ids), 256)``."""
    made = np.zeros((len(ids), 256), np.bool_)
    for row, chosen in zip(made, ids, strict=True):
        row[list(chosen)] = True
    return made
