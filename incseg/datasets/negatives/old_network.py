from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.transforms import LoadImage
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS
from incseg.utils.rules import Rule, check_values, checked, is_number, several


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


Box = tuple[int, int, int, int]
PART: Rule = (lambda value: is_number(value) and 0 < value <= 1, 'a number above 0, up to 1')


@DATASETS.register_module()
class BackgroundCrops(OldNetworkNegatives):
    """Crops of a step's images that show old classes and none of the new ones.

    The image-level labels do not say where the new class is.  What is assumed is
    that it is not where the network of the step before is sure of an old class.
    Where that network sees background no crop is taken, however sure it is:
    background is what it calls everything that it has not learned.

    Each image gives at most one crop: the largest size that allows one, and of
    that size the place with most such pixels.  It has the image's proportions
    and is enlarged to the image's size.

    Args:
        confidence: probability from which on the network is sure.
        share: a crop has at least this share of pixels where it is sure of an
            old class; the rest may be anything.
        sizes: sides of the crop, as shares of the image's, tried in turn.

    Raises:
        InvalidInputError: an argument is out of range.
    """

    def __init__(
        self,
        confidence: float = 0.7,
        share: float = 0.8,
        sizes: Sequence[float] = (0.75, 0.5, 0.35, 0.25),
    ) -> None:
        check_values(
            'seam.negatives',
            dict(confidence=confidence, share=share, sizes=sizes),
            dict(confidence=PART, share=PART, sizes=several(PART)),
        )
        self.confidence, self.share, self.sizes = confidence, share, sorted(sizes, reverse=True)
        self._load = LoadImage()
        self._crops: list[tuple[int, Box]] = []
        self._dataset: SegDataset

    def look(self, label: np.ndarray, confidence: np.ndarray) -> Box | None:
        """``(top, left, height, width)`` of an image's crop, in pixels, if there is one."""
        sure = (label > 0) & (confidence >= self.confidence)
        height, width = sure.shape
        for size in self.sizes:
            box = max(round(size * height), 1), max(round(size * width), 1)
            counts = window_sums(sure, *box)
            top, left = np.unravel_index(counts.argmax(), counts.shape)
            if counts[top, left] >= self.share * box[0] * box[1]:
                return int(top), int(left), *box
        return None

    def gather(
        self, dataset: SegDataset, indices: Sequence[int], found: Sequence[Box | None]
    ) -> None:
        """Keep the crops.

        Raises:
            InvalidInputError: no image has one.
        """
        self._dataset = dataset
        self._crops = [
            (index, box) for index, box in zip(indices, found, strict=True) if box is not None
        ]
        self.image_labels = np.zeros((len(found), 0), np.bool_)
        self.further_labels = np.zeros((len(self._crops), 0), np.bool_)
        if not self._crops:
            raise InvalidInputError(
                f"seam.negatives=dict(type='{type(self).__name__}', confidence={self.confidence}, "
                f'share={self.share}, sizes={tuple(self.sizes)}): in none of the {len(found)} '
                'images is the network of the step before sure of old classes on a crop; lower '
                'confidence, share or the least size, or take another of seam.negatives'
            )

    def __len__(self) -> int:
        return len(self._crops)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """``image_id`` and ``img``, the enlarged crop, uint8 ``(H, W, 3)``, BGR."""
        index, (top, left, height, width) = self._crops[idx]
        info = self._load.transform(self._dataset.get_data_info(index))
        image = info['img']
        crop = image[top : top + height, left : left + width]
        enlarged = cv2.resize(crop, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return dict(image_id=f'crop_{info["image_id"]}', img=enlarged, seg_fields=[])


def window_sums(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sum of a bool ``(H, W)`` in every window: int64 ``(H - height + 1, W - width + 1)``."""
    sums = np.pad(mask.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return (
        sums[height:, width:]
        - sums[:-height, width:]
        - sums[height:, :-width]
        + sums[:-height, :-width]
    )


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
        return (
            self.classes_in(label),
            box,
            self.classes_in(label[top : top + height, left : left + width]),
        )

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
