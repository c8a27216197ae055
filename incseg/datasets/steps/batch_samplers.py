from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dist import get_rank, get_world_size

from incseg.registry import DATA_SAMPLERS
from incseg.utils.rules import expected


@DATA_SAMPLERS.register_module()
class StepBatchSampler:
    """The batches of one incremental step, each a function of the iteration only.

    Epoch *e* is a permutation that depends on ``(seed, e)``.  Global batches, those of
    all processes together, are consecutive parts of it, and a last short batch is
    dropped; a data set smaller than one batch keeps its one short batch.  Every process
    takes its contiguous share of a global batch, so the global batches are the same for
    any number of processes.  Nothing depends on earlier draws, so a resumed
    training starts at any iteration without repeating the earlier ones.

    Yields lists of ``(index, sample_seed)``; ``sample_seed`` is a 32-bit int
    that depends on ``(seed, epoch, index)``.

    Args:
        sampler: A sampler of the data set, as mmengine builds it; only the
            length of its data set is used.
        batch_size: Images per process, at least 1.
        total_batch_size: Images over all processes: ``batch_size * world_size``, or
            None for this number.
        num_iters: Length of the step in iterations; either this or ``epochs``.
        epochs: Length of the step in epochs.
        seed: Seed of the run, 0 or more.
        start_iter: The first iteration, 0 to the length of the step.
        rank: Number of this process; by default mmengine's.
        world_size: Number of processes; by default mmengine's.

    Raises:
        InvalidInputError: An argument is out of range, or the total batch size
            cannot be divided by the number of processes.
    """

    def __init__(
        self,
        sampler: Any,
        batch_size: int,
        total_batch_size: int | None = None,
        num_iters: int | None = None,
        epochs: int | None = None,
        seed: int = 0,
        start_iter: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self.rank = get_rank() if rank is None else rank
        self.world_size = get_world_size() if world_size is None else world_size
        self.sampler = sampler
        self.num_images = self.count(_dataset(sampler))
        if batch_size < 1:
            raise expected('batch_size per process', batch_size, 'a number of at least 1')
        if total_batch_size is None:
            total_batch_size = batch_size * self.world_size
        if total_batch_size % self.world_size:
            raise expected(
                'batch_size (total)',
                total_batch_size,
                f'a multiple of the {self.world_size} processes',
            )
        if total_batch_size != batch_size * self.world_size:
            raise expected(
                'total_batch_size',
                total_batch_size,
                f'{self.world_size * batch_size}: {self.world_size} processes with {batch_size} '
                'images each',
            )
        if (num_iters is None) == (epochs is None):
            raise expected(
                '(num_iters, epochs) of StepBatchSampler',
                (num_iters, epochs),
                'one number and one None',
            )
        self.batch_size = batch_size
        self.total_batch_size = total_batch_size
        self.epoch_iters = self.iters_per_epoch(self.num_images, self.images_per_batch())
        self.num_iters = epochs * self.epoch_iters if epochs is not None else num_iters or 0
        if self.num_iters < 0:
            raise expected('num_iters', self.num_iters, 'a number of at least 0')
        if seed < 0:
            raise expected('seed of StepBatchSampler', seed, 'a number of at least 0')
        self.seed = seed
        self._epoch, self._order = -1, np.empty(0, np.int64)
        self.set_start(start_iter)

    def count(self, dataset: Any) -> int:
        """Return how many images of the data set make one epoch; here all."""
        return len(dataset)

    def images_per_batch(self) -> int:
        """Return how many of the images of :meth:`count` are in a global batch; here all of it."""
        return self.total_batch_size

    @staticmethod
    def iters_per_epoch(num_images: int, total_batch_size: int) -> int:
        """Return the number of global batches per epoch, without a last short one, at least 1.

        Args:
            num_images: Images per epoch.
            total_batch_size: Images per batch, over all processes.

        Raises:
            InvalidInputError: There is no image, or the batch size is not positive.
        """
        if num_images < 1 or total_batch_size < 1:
            raise expected(
                'number of images and batch size',
                (num_images, total_batch_size),
                'at least 1 of both',
            )
        return max(1, num_images // total_batch_size)

    def set_start(self, iteration: int) -> None:
        """Let the next iterator start at an iteration, for example when a run is resumed.

        Args:
            iteration: The first iteration, 0 to the length of the step.

        Raises:
            InvalidInputError: The step does not have such an iteration.
        """
        if not 0 <= iteration <= self.num_iters:
            raise expected('first iteration of a step', iteration, f'0 to {self.num_iters}')
        self.start_iter = iteration

    def __len__(self) -> int:
        """Return the number of iterations from the start to the end of the step."""
        return self.num_iters - self.start_iter

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for iteration in range(self.start_iter, self.num_iters):
            share = self._share(self.global_batch(iteration))
            yield [(index, self._sample_seed(epoch, index)) for epoch, index in share]

    def global_batch(self, iteration: int) -> list[tuple[int, int]]:
        """Return the images of one iteration over all processes.

        Args:
            iteration: The iteration of the step, from 0.

        Returns:
            ``(epoch, index in the data set)`` of each image.
        """
        epoch, place = divmod(iteration, self.epoch_iters)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self.seed, epoch)).permutation(self.num_images)
        first = place * self.images_per_batch()
        return [(epoch, int(i)) for i in self._order[first : first + self.images_per_batch()]]

    def _share(self, batch: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return this process's part of a global batch.

        With fewer images than processes, images are repeated, so that each process has one.
        """
        positions = np.arange(len(batch))
        if len(batch) < self.world_size:
            positions = np.resize(positions, self.world_size)
        return [batch[i] for i in np.array_split(positions, self.world_size)[self.rank]]

    def _sample_seed(self, epoch: int, index: int) -> int:
        return int(np.random.SeedSequence((self.seed, epoch, index)).generate_state(1)[0])


def _dataset(sampler: Any) -> Any:
    for name in ('dataset', 'data_source'):  # mmengine's samplers, torch's samplers
        if hasattr(sampler, name):
            return getattr(sampler, name)
    raise expected(
        'sampler', type(sampler).__name__, 'a sampler with an attribute dataset or data_source'
    )


@DATA_SAMPLERS.register_module()
class ReplayBatchSampler(StepBatchSampler):
    """Batches that each hold the same number of exemplars (images of earlier steps).

    An epoch is one pass over the step's own images.  The passes over the
    exemplars follow one another, each in a new order; in a batch the exemplars
    have random positions.  Everything depends on seed and iteration only.

    Args:
        memory_batch: Number of exemplars in a batch, over all processes.
        args, kwargs: See :class:`StepBatchSampler`.  The data set is a
            :class:`ReplayDataset`.  With another data set, or one without
            exemplars, the batches are those of a ``StepBatchSampler``.
    """

    def __init__(self, *args: Any, memory_batch: int, **kwargs: Any) -> None:
        self.memory_batch = memory_batch
        super().__init__(*args, **kwargs)

    def count(self, dataset: Any) -> int:
        num_own = getattr(dataset, 'num_step_images', len(dataset))
        self.num_exemplars = len(dataset) - num_own
        if not self.num_exemplars:
            self.memory_batch = 0
        return num_own

    def images_per_batch(self) -> int:
        return self.total_batch_size - self.memory_batch

    def global_batch(self, iteration: int) -> list[tuple[int, int]]:
        batch = super().global_batch(iteration)
        for position in range(iteration * self.memory_batch, (iteration + 1) * self.memory_batch):
            pass_number, place = divmod(position, self.num_exemplars)
            order = np.random.default_rng((self.seed, pass_number, 1)).permutation(
                self.num_exemplars
            )
            batch.append((pass_number, self.num_images + int(order[place])))
        if self.memory_batch:
            order = np.random.default_rng((self.seed, iteration, 2)).permutation(len(batch))
            batch = [batch[i] for i in order]
        return batch
