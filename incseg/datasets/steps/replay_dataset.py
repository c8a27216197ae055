from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from incseg.datasets.steps.incremental_dataset import IncrementalDataset
from incseg.errors import InvalidInputError
from incseg.protocols.exemplars import exemplar_lut


class ReplayDataset(Dataset):
    """The images of a step, followed by exemplars: images of earlier steps that are kept.

    An exemplar that is also one of the step's images occurs once, among the
    step's images.  Every exemplar's sample has ``hidden=()`` in its meta
    information: its background hides no class.

    Args:
        dataset: The step's images.
        exemplars: For each image id, the earlier steps that trained on the image.
        labels: The classes that stay annotated in an exemplar: ``'seen'``, every class
            seen so far, or ``'own_step'``, those of the steps that trained on it; see
            :func:`incseg.protocols.exemplars.exemplar_lut`.

    Attributes:
        num_step_images: Number of the step's own images; they come first.
        image_ids: The id of every image, in order.

    Raises:
        InvalidInputError: The data set does not have an exemplar.
    """

    def __init__(
        self, dataset: IncrementalDataset, exemplars: Mapping[str, Sequence[int]], labels: str
    ) -> None:
        self.dataset = dataset
        self.num_step_images = len(dataset)
        index_of = {name: i for i, name in enumerate(dataset.dataset.image_ids)}
        step_ids = dataset.image_ids
        in_step = set(step_ids)
        added = [name for name in exemplars if name not in in_step]
        for name in added:
            if name not in index_of:
                raise InvalidInputError(
                    f'the memory holds image {name!r}, which the data set does not have'
                )
        self.image_ids = [*step_ids, *added]
        self.indices = np.array([index_of[name] for name in self.image_ids], np.int64)
        self.luts = {
            name: exemplar_lut(
                dataset.protocol,
                dataset.step,
                (*steps, *[dataset.step] * (name in in_step)),
                labels,
                dataset.void_as_background,
            )
            for name, steps in exemplars.items()
        }

    @property
    def metainfo(self) -> dict[str, Any]:
        """``classes`` and ``palette`` of the step's data set."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, item: int | tuple[int, int]) -> Any:
        index, seed = item if isinstance(item, tuple) else (item, None)
        lut = self.luts.get(self.image_ids[index])
        if lut is None:
            return self.dataset[item]
        return self.dataset.sample(int(self.indices[index]), lut, seed, hidden=())
