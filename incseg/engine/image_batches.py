"""Images of one size, decoded ahead and put together."""
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from incseg.datasets import LoadImage


def equal_size_batches(
    dataset: Any, indices: Sequence[int], batch_size: int, num_threads: int = 2
) -> Iterator[tuple[list[int], Tensor]]:
    """Read images in threads and give them out in batches of equal size.

    An image waits for others of its size, but no more than eight batches of
    images wait; so the order is not that of ``indices``.

    Args:
        dataset: a :class:`SegDataset`.
        indices: which images.
        batch_size: images in a batch, at most.
        num_threads: images that are decoded at a time.

    Yields:
        The batch's indices, and uint8 ``(N, 3, H, W)``, BGR, on the CPU.
    """
    waiting: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
    count = 0
    for index, image in _read_ahead(dataset, indices, num_threads, 2 * batch_size):
        group = waiting[image.shape]
        group.append((index, image))
        count += 1
        if len(group) < batch_size and count >= 8 * batch_size:
            group = max(waiting.values(), key=len)
        if len(group) >= batch_size or count >= 8 * batch_size:
            count -= len(group)
            yield _batch(group)
            group.clear()
    for group in waiting.values():
        if group:
            yield _batch(group)


def _read_ahead(
    dataset: Any, indices: Sequence[int], num_threads: int, most: int
) -> Iterator[tuple[int, np.ndarray]]:
    load = LoadImage()

    def read(index: int) -> np.ndarray:
        return load.transform(dataset.get_data_info(index))['img']
    with ThreadPoolExecutor(num_threads) as pool:
        tasks: deque[tuple[int, Future]] = deque()
        try:
            for index in indices:
                tasks.append((index, pool.submit(read, index)))
                if len(tasks) >= most:
                    first, task = tasks.popleft()
                    yield first, task.result()
            while tasks:
                first, task = tasks.popleft()
                yield first, task.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _batch(group: list[tuple[int, np.ndarray]]) -> tuple[list[int], Tensor]:
    images = torch.from_numpy(np.stack([image for _, image in group]))
    return [index for index, _ in group], images.permute(0, 3, 1, 2).contiguous()
