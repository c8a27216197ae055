from collections.abc import Mapping
from typing import Any

import numpy as np

from incseg.datasets import IncrementalDataset, ReplayDataset
from incseg.protocols.exemplars import LABELS, STRATEGIES, exemplar_lut
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
DEFAULTS = dict(size=0, strategy='class_balanced', labels='seen', batch_share=None)
RULES: dict[str, Rule] = dict(
    size=whole(0),
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
            batch_share=None)``, or None for no memory.
        seed: The run's seed.

    Raises:
        InvalidInputError: An option is unknown or its value is not allowed.
    """

    def __init__(self, options: Mapping[str, Any] | None, seed: int):
        options = dict(size=0) if options is None else options
        check_keys('method.memory', options, ('size',), DEFAULTS)
        chosen: dict[str, Any] = {**DEFAULTS, **options}
        check_values('method.memory', chosen, RULES)
        self.seed = seed
        self.size, self.strategy = chosen['size'], chosen['strategy']
        self.labels, self.batch_share = chosen['labels'], chosen['batch_share']

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
        return ReplayDataset(
            dataset, {entry['image']: entry['steps'] for entry in exemplars}, self.labels
        )

    def select(
        self, dataset: IncrementalDataset, exemplars: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Choose the exemplars after a step.

        Candidates are the images of the step and the exemplars of earlier steps.

        Args:
            dataset: The images of the step.
            exemplars: ``meta.memory`` of the previous step; empty for none.

        Returns:
            ``{'image': id, 'steps': [k, …]}`` of each, in the order of the data set; empty
            without a memory.
        """
        if not self.size:
            return []
        k, source = dataset.step, dataset.dataset
        steps = {entry['image']: list(entry['steps']) for entry in exemplars}
        for name in dataset.image_ids:
            steps[name] = [*steps.get(name, ()), k]
        ids = source.image_ids
        candidates = np.array([i for i, name in enumerate(ids) if name in steps], np.int64)
        presence = on_rank_zero(source.presence)[candidates]
        seen = list(dataset.protocol.seen(k))
        annotated = np.stack(
            [
                np.isin(
                    exemplar_lut(dataset.protocol, k, steps[ids[i]], self.labels)[seen],
                    (0, 255),
                    invert=True,
                )
                for i in candidates
            ]
        )
        ranks = np.random.default_rng(self.seed).permutation(len(ids))[candidates]
        chosen = STRATEGIES[self.strategy](
            ranks, presence[:, seen] & annotated, self.size, np.random.default_rng((self.seed, k))
        )
        return [dict(image=ids[i], steps=steps[ids[i]]) for i in candidates[chosen]]
