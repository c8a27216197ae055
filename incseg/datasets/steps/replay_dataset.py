from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.steps.incremental_dataset import IncrementalDataset
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from incseg.protocols.exemplars import exemplar_lut

#: the exemplars of one source: its images, and for each image id the steps that trained on it
Exemplars = tuple[SegDataset, Mapping[str, Sequence[int]]]


class ReplayDataset(Dataset):
    """The images of a step, followed by exemplars: images of earlier steps that are kept.

    An exemplar that is also one of the step's images occurs once, among the
    step's images.  Every exemplar's sample has ``hidden`` in its meta
    information: the classes that its background may show.  Of the step's own
    source, which annotates all classes of a protocol, these are none.

    Args:
        dataset: The step's images.
        exemplars: For each image id, the earlier steps that trained on the image.
        labels: The classes that stay annotated in an exemplar: ``'seen'``, every class
            seen so far, or ``'own_step'``, those of the steps that trained on it; see
            :func:`incseg.protocols.exemplars.exemplar_lut`.
        others: Exemplars of other sources, in an open protocol.

    Attributes:
        num_step_images: Number of the step's own images; they come first.
        image_ids: The id of every image, in order.

    Raises:
        InvalidInputError: A data set does not have an exemplar.
    """

    def __init__(
        self,
        dataset: IncrementalDataset,
        exemplars: Mapping[str, Sequence[int]],
        labels: str,
        others: Sequence[Exemplars] = (),
    ) -> None:
        self.dataset = dataset
        self.num_step_images = len(dataset)
        step_ids = dataset.image_ids
        in_step = set(step_ids)
        self.image_ids = list(step_ids)
        #: for each image the data set that makes its sample, and its index there
        self.places: list[tuple[Any, int]] = [(dataset, i) for i in range(len(dataset))]
        position = {name: i for i, name in enumerate(step_ids)}
        for source, chosen in ((dataset.dataset, exemplars), *others):
            index_of = {name: i for i, name in enumerate(source.image_ids)}
            own = source is dataset.dataset
            for name, steps in chosen.items():
                if name not in index_of:
                    raise InvalidInputError(
                        f'the memory holds image {name!r}, which the data set does not have'
                    )
                repeated = own and name in in_step
                trained = (*steps, *[dataset.step] * repeated)
                place = (exemplar_view(dataset, source, index_of[name], trained, labels), 0)
                if repeated:
                    self.places[position[name]] = place
                else:
                    self.places.append(place)
                    self.image_ids.append(name)

    @property
    def metainfo(self) -> dict[str, Any]:
        """``classes`` and ``palette`` of the step's data set."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, item: int | tuple[int, int]) -> Any:
        index, seed = item if isinstance(item, tuple) else (item, None)
        dataset, place = self.places[index]
        return dataset[place if seed is None else (place, seed)]


def exemplar_view(
    dataset: IncrementalDataset, source: SegDataset, index: int, steps: Sequence[int], labels: str
) -> IncrementalDataset:
    """Return a data set of one exemplar, with the transforms of a step and labels of its own.

    Args:
        dataset: The step's images.
        source: The whole data set of the exemplar.
        index: Its index there.
        steps: The steps that trained on it.
        labels: See :class:`ReplayDataset`.
    """
    view = copy(dataset)
    view.dataset, view.indices = source, np.array([index], np.int64)
    arguments = (dataset.step, steps, labels, dataset.void_as_background)
    if isinstance(dataset.protocol, Protocol):
        view.label_lut, view.hidden = exemplar_lut(dataset.protocol, *arguments), ()
    else:
        view.label_lut, view.hidden = dataset.protocol.exemplar(*arguments)
    return view
