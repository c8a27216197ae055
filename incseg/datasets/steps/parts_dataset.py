"""The test images of several sources, one after the other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from incseg.registry import DATASETS


@DATASETS.register_module()
class PartsDataset(Dataset):
    """The test images of several sources, one part after the other, each image once.

    The sample of an image says its part in its meta information, ``test_part``, from 0.

    Args:
        parts: The parts: each an :class:`IncrementalDataset` in mode ``test``, or its config.
            They have the classes of one step.

    Attributes:
        parts: The data sets.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = [DATASETS.build(each) if isinstance(each, Mapping) else each for each in parts]
        self._ends = np.cumsum([len(part) for part in self.parts])
        names = [(i, name) for i, part in enumerate(self.parts) for name in part.image_ids]
        known = Counter(name for _, name in names)
        #: the id of every image, in order; one that several parts have begins with their numbers
        self.image_ids = [name if known[name] < 2 else f'{i}/{name}' for i, name in names]

    @property
    def metainfo(self) -> dict[str, Any]:
        """``classes`` and ``palette`` by train id."""
        meta: dict[str, Any] = self.parts[0].metainfo
        return meta

    def input_files(self) -> list[str]:
        """Return the paths of the images and label maps of all parts."""
        return [path for part in self.parts for path in part.dataset.input_files()]

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, item: int) -> Any:
        number = int(np.searchsorted(self._ends, item, side='right'))
        part = self.parts[number]
        place = item - int(self._ends[number]) + len(part)
        index = int(part.indices[place])
        own = dict(image_id=self.image_ids[item], test_part=number)
        return part.sample(index, part.label_lut, **own)
