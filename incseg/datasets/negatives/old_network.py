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


class NoNegativesError(InvalidInputError):
    """Refuse images in which the network of the previous step finds no old class."""


class OldNetworkNegatives(ABC):
    """Base class of negatives that are found with the network of the previous step.

    They are further images without any new class, and possibly further
    classes that the new ones have to be distinguished from.  :class:`WeakDataset`
    adds both to the step's data.  The network does not know the new classes: it
    predicts background or an old class in their place.

    Attributes:
        class_ids: Dataset ids of the further classes.
        image_labels: Bool ``(images of the step, len(class_ids))``: the further
            classes that each image shows.
        further_labels: Bool ``(len(self), len(class_ids))``: the further classes
            that each further image shows.
    """

    class_ids: tuple[int, ...] = ()
    image_labels: np.ndarray
    further_labels: np.ndarray

    @abstractmethod
    def look(self, label: np.ndarray, confidence: np.ndarray) -> Any:
        """Look for negatives in one image of the step, given the network's prediction.

        Args:
            label: uint8 ``(H, W)``, the most likely class: 0 or the dataset id
                of an old class.
            confidence: float32 ``(H, W)``, the probability of that class.

        Returns:
            The findings for :meth:`gather`: plain data, which is sent between processes.
        """

    @abstractmethod
    def gather(self, dataset: SegDataset, indices: Sequence[int], findings: Sequence[Any]) -> None:
        """Make the further images and classes from the findings in all images; set the attributes.

        Args:
            dataset: The data set that has the step's images.
            indices: Indices of the step's images in it.
            findings: The result of :meth:`look` for each of them, in that order.

        Raises:
            InvalidInputError: The findings give no further image.
        """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of further images."""

    @abstractmethod
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return the input of a pipeline for one further image.

        Args:
            idx: Index of the further image.

        Returns:
            A dict of ``image_id``, and of ``img``, uint8 ``(H, W, 3)`` BGR, or ``img_path``.
        """


Box = tuple[int, int, int, int]
PART: Rule = (lambda value: is_number(value) and 0 < value <= 1, 'a number above 0, up to 1')


@DATASETS.register_module()
class BackgroundCrops(OldNetworkNegatives):
    """Crops of a step's images that show old classes and no new class.

    The image-level labels do not say where the new class is.  The crops rely
    on the assumption that it is not where the previous step's network is sure
    of an old class.  Background does not count, however sure the network is:
    it predicts background for every class that it has not learned.

    Each image gives at most one crop, of the largest size that allows one; of
    that size, the crop with most sure pixels.  A crop has the image's aspect
    ratio and is enlarged to the image's size.

    Args:
        confidence: Probability from which on the network counts as sure.
        share: Least share of a crop's pixels where the network is sure of an
            old class; the other pixels may show anything.
        sizes: Sides of the crop, as shares of the image's sides, in the order
            of the attempts after sorting, largest first.

    Raises:
        InvalidInputError: An argument is out of range.
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
        """Return the crop of one image, see :meth:`OldNetworkNegatives.look`.

        Returns:
            ``(top, left, height, width)`` in pixels; None if no crop has enough sure pixels.
        """
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
        self, dataset: SegDataset, indices: Sequence[int], findings: Sequence[Box | None]
    ) -> None:
        """Keep the crops; there are no further classes.

        Raises:
            NoNegativesError: No image has a crop.
        """
        self._dataset = dataset
        self._crops = [
            (index, box) for index, box in zip(indices, findings, strict=True) if box is not None
        ]
        self.image_labels = np.zeros((len(findings), 0), np.bool_)
        self.further_labels = np.zeros((len(self._crops), 0), np.bool_)
        if not self._crops:
            raise NoNegativesError(
                f"seam.negatives=dict(type='{type(self).__name__}', confidence={self.confidence}, "
                f'share={self.share}, sizes={tuple(self.sizes)}): in none of the {len(findings)} '
                'images is the network of the step before sure of old classes on a crop; lower '
                'confidence, share or the least size, or take another of seam.negatives'
            )

    def __len__(self) -> int:
        return len(self._crops)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Load one image and return its crop, enlarged to the image's size.

        Args:
            idx: Index of the crop.

        Returns:
            A dict of ``image_id`` (``crop_<image id>``), ``img``, uint8 ``(H, W, 3)`` BGR,
            and an empty list ``seg_fields``.
        """
        index, (top, left, height, width) = self._crops[idx]
        info = self._load.transform(self._dataset.get_data_info(index))
        image = info['img']
        crop = image[top : top + height, left : left + width]
        enlarged = cv2.resize(crop, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return dict(image_id=f'crop_{info["image_id"]}', img=enlarged, seg_fields=[])


def window_sums(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Count the True pixels in every window of one size.

    Args:
        mask: Bool ``(H, W)``.
        height, width: Size of the windows, at most ``(H, W)``.

    Returns:
        int64 ``(H - height + 1, W - width + 1)``, by the window's upper left corner.
    """
    sums = np.pad(mask.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return (
        sums[height:, width:]
        - sums[:-height, width:]
        - sums[height:, :-width]
        + sums[:-height, :-width]
    )


@DATASETS.register_module()
class OldModelLabels(BackgroundCrops):
    """Old classes, predicted by the previous step's network, as further classes.

    The classifier then has to distinguish the new class from them.  Labels of
    old classes are not enough: the new class would still be in every image,
    and a constant its best score.  So the crops of :class:`BackgroundCrops`
    are added, labelled in the same way.

    The old classes serve for training only: pseudo-labels hold new classes.

    Args:
        label_share: An image or a crop shows an old class if at least this
            share of its pixels is predicted as that class.
        **kwargs: Of :class:`BackgroundCrops`.

    Raises:
        InvalidInputError: An argument is out of range.
    """

    def __init__(self, label_share: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.label_share = checked('seam.negatives.label_share', label_share, PART)

    def look(  # type: ignore[override]
        self, label: np.ndarray, confidence: np.ndarray
    ) -> tuple[list[int], Box | None, list[int]]:
        """Return the findings in one image, see :meth:`OldNetworkNegatives.look`.

        Returns:
            The dataset ids of the old classes in the image; its crop or None, as
            :meth:`BackgroundCrops.look` returns it; the ids of the old classes in the crop.
        """
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
        """Return the old classes that are predicted in enough pixels.

        Args:
            label: uint8 ``(h, w)`` of dataset ids, 0 background: an image or a part of one.

        Returns:
            Sorted dataset ids of the classes with at least ``label_share`` of the pixels.
        """
        pixels = np.bincount(label.ravel(), minlength=256)
        pixels[0] = 0
        return np.flatnonzero(pixels >= self.label_share * label.size).tolist()

    def gather(self, dataset: SegDataset, indices: Sequence[int], findings: Sequence[Any]) -> None:
        """Keep the crops; the further classes are all old classes in an image or a crop.

        Raises:
            InvalidInputError: No image has a crop.
        """
        super().gather(dataset, indices, [box for _, box, _ in findings])
        in_images = rows([ids for ids, _, _ in findings])
        in_crops = rows([ids for _, box, ids in findings if box is not None])
        occurs = in_images.any(0) | in_crops.any(0)
        self.class_ids = tuple(np.flatnonzero(occurs).tolist())
        self.image_labels, self.further_labels = in_images[:, occurs], in_crops[:, occurs]


def rows(ids: Sequence[Sequence[int]]) -> np.ndarray:
    """Turn lists of dataset ids into a table.

    Args:
        ids: One list of ids, 0 to 255, for each row; it may be empty.

    Returns:
        Bool ``(len(ids), 256)``: whether the row's list has the id of the column.
    """
    table = np.zeros((len(ids), 256), np.bool_)
    for row, chosen in zip(table, ids, strict=True):
        row[list(chosen)] = True
    return table
