from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from incseg.constants import VOID
from incseg.datasets import IncrementalDataset, ReplayDataset, SegDataset
from incseg.datasets.steps.replay_dataset import Exemplars
from incseg.engine.recipe.step_sources import StepSources
from incseg.protocols import Protocol
from incseg.protocols.exemplars import LABELS, STRATEGIES, exemplar_lut
from incseg.registry import DATASETS
from incseg.utils.distributed import on_rank_zero
from incseg.utils.rules import (
    Rule,
    check_keys,
    check_values,
    expected,
    is_number,
    one_of,
    or_none,
    whole,
)

Dataset = IncrementalDataset | ReplayDataset
DEFAULTS = dict(size=0, strategy='class_balanced', labels='seen', batch_share=None, since=0)
RULES: dict[str, Rule] = dict(
    size=whole(0),
    since=whole(0),
    strategy=one_of(*STRATEGIES),
    labels=one_of(*LABELS),
    batch_share=or_none(
        (lambda value: is_number(value) and 0 < value < 1, 'a number between 0 and 1')
    ),
)


class ReplayMemory:
    """Images of earlier steps that are stored and shown again: ``method.memory``.

    The selection after a step depends only on the seed, the step's images and the
    earlier selection.  The step's ``final.pth`` stores it as ``meta.memory``, a list
    of ``{'image': id, 'steps': [k, …]}`` with the steps whose data contained the
    image.

    Args:
        options: ``dict(size, strategy='class_balanced', labels='seen',
            batch_share=None, since=0)``, or None for no memory.  With ``since=k`` the exemplars
            of a network that the run starts from all stay, and images of step ``k`` and later
            ones fill the rest of the memory.
        seed: The run's seed.
        sources: The data sets of the steps, for an open protocol whose steps may have several;
            None where they share one.

    Raises:
        InvalidInputError: An option is unknown or its value is not allowed.
    """

    def __init__(
        self,
        options: Mapping[str, Any] | None,
        seed: int,
        sources: StepSources | None = None,
    ):
        self.sources = sources
        self._built: dict[str, SegDataset] = {}
        options = dict(size=0) if options is None else options
        check_keys('method.memory', options, ('size',), DEFAULTS)
        chosen: dict[str, Any] = {**DEFAULTS, **options}
        check_values('method.memory', chosen, RULES)
        self.seed = seed
        self.size, self.strategy = chosen['size'], chosen['strategy']
        self.labels, self.batch_share = chosen['labels'], chosen['batch_share']
        self.since: int = chosen['since']

    def exemplars_per_batch(self, batch_size: int) -> int:
        """Return how many images of a batch are exemplars; 0 if they are mixed with the data.

        Args:
            batch_size: Images in a batch.

        Raises:
            InvalidInputError: ``batch_share`` comes to no image of the batch, or to all.
        """
        if self.batch_share is None:
            return 0
        count = round(self.batch_share * batch_size)
        if not 0 < count < batch_size:
            what = f'a share of {batch_size} images with at least one of each kind, not {count}'
            raise expected('method.memory.batch_share', self.batch_share, what)
        return count

    def join(self, dataset: IncrementalDataset, exemplars: list[dict[str, Any]]) -> Dataset:
        """Return a step's data set joined with the exemplars of earlier steps.

        Args:
            dataset: The images of the step.
            exemplars: ``meta.memory`` of the previous step, a list of ``{'image', 'steps'}``;
                empty for none: then ``dataset`` itself is returned.
        """
        if not self.size or not exemplars:
            return dataset
        own, *others = self.by_source(dataset, exemplars)
        return ReplayDataset(dataset, own[1], self.labels, others)

    def by_source(
        self, dataset: IncrementalDataset, exemplars: list[dict[str, Any]]
    ) -> list[Exemplars]:
        """Return the exemplars of each source, those of the step's own source first.

        Args:
            dataset: The images of the step.
            exemplars: ``meta.memory`` of the previous step.
        """
        found: dict[str, Exemplars] = {}
        for entry in [dict(steps=[dataset.step]), *exemplars]:
            name, source = self._source(dataset, entry['steps'][0])
            steps_of = found.setdefault(name, (source, {}))[1]
            if 'image' in entry:
                steps_of[entry['image']] = entry['steps']  # type: ignore[index]
        return list(found.values())

    def _source(self, dataset: IncrementalDataset, k: int) -> tuple[str, SegDataset]:
        """Return the name and the whole data set of the source of step ``k``."""
        plan = getattr(dataset.protocol, 'plan', None)
        if plan is None or plan.steps[k].source == plan.steps[dataset.step].source:
            return '', dataset.dataset
        name = plan.steps[k].source.name
        if name not in self._built:
            assert self.sources is not None
            self._built[name] = DATASETS.build(self.sources.data(k, 'train'))
        return name, self._built[name]

    def select(
        self, dataset: IncrementalDataset | None, exemplars: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Choose the exemplars after a step.

        Candidates are the images of the step and the exemplars of earlier steps; with ``since``
        the latter all stay.

        Args:
            dataset: The images of the step; None, before ``since``, where they are out of reach.
            exemplars: ``meta.memory`` of the previous step; empty for none.

        Returns:
            ``{'image': id, 'steps': [k, …]}`` of each, in the order of the data set; empty
            without a memory.
        """
        if not self.size:
            return []
        if dataset is None or dataset.step < self.since:
            return list(exemplars)
        k, stay = dataset.step, list(exemplars) if self.since else []
        if stay and len(stay) >= self.size:
            return stay
        names: list[str] = []
        steps: list[Sequence[int]] = []
        ranks, shown = [], []
        for source, known in self.by_source(dataset, exemplars):
            kept = {} if stay else dict(known)
            if source is dataset.dataset:
                for name in dataset.image_ids:
                    if not (stay and name in known):
                        kept[name] = [*kept.get(name, ()), k]
            ids = source.image_ids
            candidates = np.array([i for i, name in enumerate(ids) if name in kept], np.int64)
            if not len(candidates):
                continue
            own = [kept[ids[i]] for i in candidates]
            names += [ids[i] for i in candidates]
            steps += own
            order = np.random.default_rng(self.seed).permutation(len(ids))[candidates]
            ranks.append((order + 0.5) / len(ids))  # comparable between sources
            presence = on_rank_zero(source.presence)[candidates]
            shown.append(labelled_classes(dataset, own, presence, self.labels))
        chosen = STRATEGIES[self.strategy](
            np.concatenate(ranks),
            np.concatenate(shown),
            self.size - len(stay),
            np.random.default_rng((self.seed, k)),
        )
        return stay + [dict(image=names[i], steps=list(steps[i])) for i in chosen]


def labelled_classes(
    dataset: IncrementalDataset,
    steps: Sequence[Sequence[int]],
    presence: np.ndarray,
    labels: str,
) -> np.ndarray:
    """Return which known classes are labelled in images of one source, and shown by them.

    Args:
        dataset: The images of the step, whose protocol counts.
        steps: For each image, the steps that trained on it.
        presence: Bool ``(images, C + 1)``, by dataset id of the source.
        labels: ``method.memory.labels``.

    Returns:
        Bool ``(images, classes)``, in learning order.
    """
    protocol, k = dataset.protocol, dataset.step
    count = sum(protocol.outputs_per_step(k)) - 1
    shown = np.zeros((len(presence), count), np.bool_)
    for row, own, present in zip(shown, steps, presence, strict=True):
        if isinstance(protocol, Protocol):
            lut = exemplar_lut(protocol, k, own, labels)
        else:
            lut = protocol.exemplar(k, own, labels)[0]
        trained = lut[: len(present)][present]
        row[trained[(trained != 0) & (trained != VOID)].astype(np.int64) - 1] = True
    return shown
