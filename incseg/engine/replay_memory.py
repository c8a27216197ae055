from collections.abc import Mapping
from typing import Any

import numpy as np

from incseg.datasets import IncrementalDataset, ReplayDataset
from incseg.errors import InvalidInputError
from incseg.protocols.exemplars import LABELS, STRATEGIES, exemplar_lut
from incseg.utils.distributed import on_rank_zero

Dataset = IncrementalDataset | ReplayDataset


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
        self.seed = seed
        given: dict[str, Any] = dict(size=0) if options is None else dict(options)
        allowed = ('size', 'strategy', 'labels', 'batch_share')
        for key in given:
            if key not in allowed:
                raise InvalidInputError(
                    f"unknown key 'method.memory.{key}'; allowed: {list(allowed)}"
                )
        self.size = given.get('size')
        self.strategy = given.get('strategy', 'class_balanced')
        self.labels = given.get('labels', 'seen')
        self.batch_share = given.get('batch_share')
        if not isinstance(self.size, int) or isinstance(self.size, bool) or self.size < 0:
            raise InvalidInputError(
                f'method.memory.size is {self.size!r}, expected a whole number of at least 0'
            )
        for key, value, choice in (
            ('strategy', self.strategy, STRATEGIES),
            ('labels', self.labels, LABELS),
        ):
            if value not in choice:
                raise InvalidInputError(
                    f'method.memory.{key} is {value!r}, allowed: {list(choice)}'
                )
        share = self.batch_share
        if share is not None and (
            isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1
        ):
            raise InvalidInputError(
                f'method.memory.batch_share is {share!r}, expected a number between 0 and 1, '
                'or None'
            )

    def exemplars_per_batch(self, batch_size: int) -> int:
        """Return the number of exemplars in a batch; 0 if they are mixed with the data.

        Raises:
            InvalidInputError: The share is nothing of the batch, or all of it.
        """
        if self.batch_share is None:
            return 0
        count = round(self.batch_share * batch_size)
        if not 0 < count < batch_size:
            raise InvalidInputError(
                f'method.memory.batch_share is {self.batch_share}, which is {count} images of a '
                f'batch of {batch_size}; allowed is at least one of each kind'
            )
        return count

    def join(self, dataset: IncrementalDataset, kept: list[dict[str, Any]]) -> Dataset:
        """Join a step's data set with the exemplars of earlier steps.

        Args:
            dataset: The images of the step.
            kept: ``meta.memory`` of the previous step.
        """
        if not self.size or not kept:
            return dataset
        return ReplayDataset(
            dataset, {entry['image']: entry['steps'] for entry in kept}, self.labels
        )

    def select(
        self, dataset: IncrementalDataset, kept: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Choose the exemplars after a step, in the order of the data set.

        Candidates are the images of the step and the exemplars of earlier steps.

        Args:
            dataset: The images of the step.
            kept: ``meta.memory`` of the previous step.
        """
        if not self.size:
            return []
        k, source = dataset.step, dataset.dataset
        steps = {entry['image']: list(entry['steps']) for entry in kept}
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
