"""Images for a network outside training: read in threads, resized, in batches of one size."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.datasets import LoadImage
from incseg.errors import InvalidInputError


def equal_size_batches(
    dataset: Any, indices: Sequence[int], batch_size: int, num_threads: int = 2
) -> Iterator[tuple[list[int], Tensor]]:
    """Read images in threads and yield batches of images of equal size.

    An image waits for others of its size, so the order is not that of
    ``indices``.  At most eight batches of images wait.

    Args:
        dataset: A :class:`SegDataset`.
        indices: Indices of the images.
        batch_size: Greatest number of images in a batch.
        num_threads: Number of images that are decoded at the same time.

    Yields:
        The indices of a batch, and its images, uint8 ``(N, 3, H, W)``, BGR, on the CPU.

    Raises:
        MissingFileError, InvalidInputError: An image cannot be read.
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
    dataset: Any, indices: Sequence[int], num_threads: int, max_waiting: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each index with its image, uint8 ``(H, W, 3)``, in order."""
    load = LoadImage()

    def read(index: int) -> np.ndarray:
        return load.transform(dataset.get_data_info(index))['img']

    with ThreadPoolExecutor(num_threads) as pool:
        tasks: deque[tuple[int, Future]] = deque()
        try:
            for index in indices:
                tasks.append((index, pool.submit(read, index)))
                if len(tasks) >= max_waiting:
                    first, task = tasks.popleft()
                    yield first, task.result()
            while tasks:
                first, task = tasks.popleft()
                yield first, task.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _batch(group: list[tuple[int, np.ndarray]]) -> tuple[list[int], Tensor]:
    """Stack images of one size.

    Args:
        group: Index and image, uint8 ``(H, W, 3)``, of each.

    Returns:
        The indices, and uint8 ``(N, 3, H, W)``.
    """
    images = torch.from_numpy(np.stack([image for _, image in group]))
    return [index for index, _ in group], images.permute(0, 3, 1, 2).contiguous()


def resized(images: Tensor, scale: float) -> Tensor:
    """Resize images by a factor, bicubic, to whole grey levels.

    Args:
        images: float ``(N, 3, H, W)`` of 0..255; not changed.
        scale: Factor on both sides, above 0.

    Returns:
        ``(N, 3, H', W')``; the images themselves if the size does not change.

    Raises:
        InvalidInputError: See :func:`scaled_size`.
    """
    size = scaled_size(images.shape[2:], scale)
    if size == list(images.shape[2:]):
        return images
    return (
        F.interpolate(images, size, mode='bicubic', align_corners=False, antialias=True)
        .round_()
        .clamp_(0, 255)
    )


def scaled_size(size: Sequence[int], scale: float) -> list[int]:
    """Return ``[height, width]`` times a scale, rounded to whole pixels, at least 1.

    Args:
        size: ``(height, width)`` of the image in pixels.
        scale: The factor, above 0.

    Raises:
        InvalidInputError: Both would be 0.
    """
    scaled = [round(n * scale) for n in size]
    if max(scaled) < 1:
        raise InvalidInputError(
            f'at scale {scale} (of inference.scales, times image_scale) nothing is left of an '
            f'image of {size[0]} x {size[1]} pixels (height x width), expected at least '
            f'{1 / max(size):.2g}'
        )
    return [max(n, 1) for n in scaled]
