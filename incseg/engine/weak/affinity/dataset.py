"""Training images of AffinityNet."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from incseg.datasets import ColourJitter, LoadImage, PseudoLabelFiles
from incseg.datasets.pseudo_labels.pseudo_label_files import no_labels
from incseg.datasets.steps.sample_seed import sample_seed
from incseg.errors import InvalidInputError
from incseg.models.weak.refinement.affinity_pairs import STRIDE, affinity_labels, has_pairs
from incseg.utils.rules import expected


class AffinityDataset(Dataset):
    """Crops of images, labelled where one of two sets of refined scores is sure.

    Classes come from the scores with a strong background, background from those
    with a weak one; other blocks are ignored, see
    :func:`~incseg.models.weak.refinement.affinity_pairs.affinity_labels`.  The
    index of an item is ``(index, seed)``; colours, crop and flip depend only on
    these two numbers.

    Args:
        dataset: A :class:`SegDataset`.
        strong: Pseudo-labels made with a strong background (power 4).
        weak: Those of the same images, made with a weak background (power 24).
        crop_size: Side of the crop, a multiple of 8, at least 24: a smaller crop
            has no pair of pixels to compare.  Smaller images are padded with the
            mean colour (the published code pads with black) and ignored labels.
        colour: Transform of the whole image's colours, applied before the crop.
        mean_colour: Blue, green, red, 0 to 255.

    Raises:
        InvalidInputError: The crop size is not allowed, or no image has scores in
            both sets.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, and SEAM's training of it.
    """

    def __init__(
        self,
        dataset: Any,
        strong: PseudoLabelFiles,
        weak: PseudoLabelFiles,
        crop_size: int = 448,
        colour: ColourJitter | None = None,
        mean_colour: Sequence[float] = (104, 116, 124),
    ) -> None:
        edge = crop_size // STRIDE
        if crop_size % STRIDE or not has_pairs((edge, edge)):
            raise expected(
                'crop_size of AffinityNet',
                crop_size,
                f'a multiple of {STRIDE}, at least {3 * STRIDE}: a smaller crop has no two pixels '
                'that are compared',
            )
        self.dataset, self.strong, self.weak = dataset, strong, weak
        self.crop_size, self.colour = crop_size, colour
        self.mean_colour = torch.tensor(mean_colour, dtype=torch.uint8).view(3, 1, 1)
        self.indices = [
            i
            for i, image_id in enumerate(dataset.image_ids)
            if all(files.score_path(image_id).is_file() for files in (strong, weak))
        ]
        if not self.indices:
            hints = [
                no_labels(files.folder) for files in (strong, weak) if not files.meta_path.is_file()
            ]
            raise InvalidInputError(
                '; '.join(
                    [
                        f'no image of {type(dataset).__name__} has scores both in '
                        f"'{strong.folder}' and in '{weak.folder}'",
                        *hints,
                    ]
                )
            )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, item: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return a crop of an image and the labels of its blocks of 8x8 pixels.

        Args:
            item: ``(index, seed)``.

        Returns:
            uint8 ``(3, crop, crop)``, BGR; and labels, uint8 ``(crop/8, crop/8)`` of dataset ids,
            255 = ignored.

        Raises:
            InvalidInputError: The image's scores in the two sets do not fit.
        """
        index, seed = item
        rng = np.random.default_rng(seed)
        info = self.dataset.get_data_info(self.indices[index])
        image_id = info['image_id']
        info = LoadImage().transform(info)
        if self.colour is not None:
            with sample_seed(seed):
                info = self.colour.transform(info)
        image = torch.from_numpy(info['img']).permute(2, 0, 1)
        ids, scores = self._scores(image_id, image.shape[1:])
        size, (height, width) = self.crop_size, image.shape[1:]
        top, out_top = _place(height, size, rng)
        left, out_left = _place(width, size, rng)
        tall, wide = min(height, size), min(width, size)
        crop = self.mean_colour.expand(3, size, size).clone()
        inside = (slice(out_top, out_top + tall), slice(out_left, out_left + wide))
        crop[:, inside[0], inside[1]] = image[:, top : top + tall, left : left + wide]
        shares = torch.zeros(2, len(ids), size, size)
        shares[:, :, inside[0], inside[1]] = scores[:, :, top : top + tall, left : left + wide]
        label = affinity_labels(ids, *shares)
        if rng.random() < 0.5:
            crop, label = crop.flip(2), label.flip(1)
        return crop, label

    def _scores(self, image_id: str, size: Sequence[int]) -> tuple[list[int], Tensor]:
        """Return the scores of an image from both sets.

        Args:
            image_id: Id of the image.
            size: ``(H, W)`` of the image, read if it has no class.

        Returns:
            Dataset ids, 0 first; and ``(2, 1 + k, H, W)``: strong, then weak background.
        """
        pair = [files.read_scores(image_id) for files in (self.strong, self.weak)]
        ids = pair[0].ids.tolist()
        if ids != pair[1].ids.tolist() or (ids and ids[0] != 0):
            raise expected(
                f"ids of the scores of image {image_id!r} in '{self.strong.folder}'",
                ids,
                f"{pair[1].ids.tolist()}, as in '{self.weak.folder}', with 0 first, as a "
                'refinement writes them',
            )
        if not ids:  # no class in the image: all of it is background
            return [0], torch.ones(2, 1, *size)
        return ids, torch.stack([torch.from_numpy(file.full_size()) for file in pair])


def _place(length: int, size: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw where a crop lies along one axis, for an image that may be smaller than the crop.

    Args:
        length: Pixels of the image.
        size: Pixels of the crop.
        rng: Source of the random choice.

    Returns:
        First pixel of the crop in the image, and of the image in the crop; one of them is 0.
    """
    spare = length - size
    return (int(rng.integers(spare + 1)), 0) if spare >= 0 else (0, int(rng.integers(1 - spare)))
