from typing import Any

import numpy as np

from incseg.datasets.step_batch_sampler import StepBatchSampler
from incseg.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ReplayBatchSampler(StepBatchSampler):
    """Batches that hold the same number of exemplars each.

    An epoch is one pass over the step's own images.  The exemplars are gone
    through again and again, in a new order each time, and stand at random
    places of the batch.  All of it depends on seed and iteration alone.

    Args:
        memory_batch: Exemplars in a batch, over all processes.
        args, kwargs: See :class:`StepBatchSampler`.  The data set is a
            :class:`ReplayDataset`; of another one, or where it has no
            exemplars, the batches are those of a ``StepBatchSampler``.
    """

    def __init__(self, *args: Any, memory_batch: int, **kwargs: Any) -> None:
        self.memory_batch = memory_batch
        super().__init__(*args, **kwargs)

    def count(self, dataset: Any) -> int:
        own = getattr(dataset, 'num_step_images', len(dataset))
        self.num_exemplars = len(dataset) - own
        if not self.num_exemplars:
            self.memory_batch = 0
        return own

    def images_per_batch(self) -> int:
        return self.total_batch_size - self.memory_batch

    def global_batch(self, iteration: int) -> list[tuple[int, int]]:
        batch = super().global_batch(iteration)
        for position in range(iteration * self.memory_batch, (iteration + 1) * self.memory_batch):
            pass_number, place = divmod(position, self.num_exemplars)
            order = np.random.default_rng((self.seed, pass_number, 1)).permutation(
                self.num_exemplars)
            batch.append((pass_number, self.num_images + int(order[place])))
        if self.memory_batch:
            order = np.random.default_rng((self.seed, iteration, 2)).permutation(len(batch))
            batch = [batch[i] for i in order]
        return batch
