"""In which images a taught model sees a class, where the labels of images alone are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from incseg.apis.inference import inference_model, init_model

#: a class is found in an image if at least this share of the pixels is predicted as it
SHARE = 0.01


@dataclass(frozen=True)
class FoundImages:
    """How well a class is found in images.

    Attributes:
        shown: Images that show the class, by their labels.
        found: Images in which the model finds it.
        both: Images that show it and in which it is found.
    """

    shown: int
    found: int
    both: int

    @property
    def precision(self) -> float | None:
        """Percent of the images with a finding that show the class; None without a finding."""
        return 100 * self.both / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """Percent of the images that show the class in which it is found; None without any."""
        return 100 * self.both / self.shown if self.shown else None

    def as_dict(self) -> dict[str, float | None]:
        """Return counts and scores as plain data."""
        counts = dict(shown=self.shown, found=self.found, both=self.both)
        return dict(counts, precision=self.precision, recall=self.recall)

    def in_words(self, name: str, images: int) -> str:
        """Return the line about a class.

        Args:
            name: The class.
            images: How many images were looked at.
        """
        precision, recall = (
            '-' if value is None else f'{value:.0f} %' for value in (self.precision, self.recall)
        )
        text = (
            f'{name}: recall {recall} ({self.both} of {self.shown} images that show it), precision '
            f'{precision} ({self.both} of {self.found} in which it is found), by image'
        )
        if self.shown == images:
            text += '; all images show it, so precision says nothing: --negatives has others'
        return text


def found_images(
    model: Path,
    asked: Mapping[str, Sequence[str]],
    classes: Sequence[str],
    device: str | None = None,
) -> dict[str, FoundImages]:
    """Compare the classes that a model finds in images with those that the images show.

    Args:
        model: The ``final.pth``; the classes are its last ones.
        asked: The classes that each image shows, by its path.
        classes: Names of the classes that count.
        device: As for :func:`init_model`.
    """
    network = init_model(str(model), device=device)
    number = len(network.dataset_meta['classes'])
    first = number - len(classes)
    seen = {name: [0, 0, 0] for name in classes}
    for path, names in asked.items():
        [sample] = inference_model(network, [path])
        labels = sample.pred_sem_seg.data.flatten().long()
        shares = torch.bincount(labels, minlength=number)[first:number] / len(labels)
        for name, share in zip(classes, shares.tolist(), strict=True):
            shown, found = name in names, share >= SHARE
            for place, each in enumerate((shown, found, shown and found)):
                seen[name][place] += each
    return {name: FoundImages(*counts) for name, counts in seen.items()}
