"""Images of one size, decoded ahead and put together."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.datasets import LoadImage, SegDataset
from incseg.engine.checkpoint import load_weights, read_experiment_checkpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import network_config
from incseg.errors import InvalidInputError
from incseg.models.weak.functional import max_norm
from incseg.registry import MODELS
from incseg.utils.rules import POSITIVE, SWITCH, check_values, one_of, several

#: what a network's ``cams`` gives, in order
MAPS = ('cam', 'refined')
RULES = dict(scales=several(POSITIVE), flip=SWITCH, maps=one_of(*MAPS))


class CamInference:
    """Class activation maps of images at several scales, with and without a flip.

    Each image is resized (bicubic, to whole pixels and whole grey levels), its
    maps are brought to the resized and then to the original size, and summed
    over all scales and flips; each class is then stretched from its least to its
    greatest value.  All images and both flips of a scale are one batch, and only
    maps of classes that an image shows are enlarged.

    Args:
        model: has ``data_preprocessor`` and ``cams(inputs) -> (cam, refined)``,
            ``inputs`` float ``(N, 3, h, w)`` as its preprocessor makes them,
            ``refined`` ``(N, 1 + C, h', w')``, the background first.
        scales: factors on the image's size.
        flip: whether the mirrored image counts too.
        maps: which maps, ``'refined'`` or ``'cam'``, those before the pixel
            correlation.

    Raises:
        InvalidInputError: an argument is out of range.

    Source: Wang et al., SEAM, CVPR 2020, section 4.1 and its code.
    """

    def __init__(
        self,
        model: Any,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
        flip: bool = True,
        maps: str = 'refined',
    ) -> None:
        check_values('inference', dict(scales=scales, flip=flip, maps=maps), RULES)
        self.model = model
        self.scales = tuple(scales)
        self.flip = flip
        self.which = MAPS.index(maps)

    @torch.no_grad()
    def __call__(self, images: Tensor, shown: Tensor) -> list[Tensor]:
        """Scores of the classes that each image shows.

        Args:
            images: uint8 ``(N, 3, H, W)``, BGR, on the model's device.
            shown: bool ``(N, C)``, on the CPU: the classes in each image, in the
                order of the model's outputs.

        Returns:
            For each image float32 ``(k, H, W)`` of 0 to 1, its ``k`` classes in
            order.

        Raises:
            InvalidInputError: at one of the scales nothing is left of an image.
        """
        image_of, class_of = shown.nonzero(as_tuple=True)
        total = torch.zeros(len(image_of), *images.shape[2:], device=images.device)
        used, row_of = image_of.unique(return_inverse=True)
        if len(used):
            images = images[used.to(images.device)].float()
            rows, channels = row_of.to(images.device), class_of.to(images.device) + 1
            for scale in self.scales:
                total += self._maps(images, scale, rows, channels)
        return list(stretched(total).split(shown.sum(1).tolist()))

    def _maps(self, images: Tensor, scale: float, rows: Tensor, channels: Tensor) -> Tensor:
        """Maps ``(P, H, W)`` of P pairs of an image and a class at one scale."""
        height, width = images.shape[2:]
        inputs = self.model.data_preprocessor(dict(inputs=resized(images, scale)))['inputs']
        size = inputs.shape[2:]
        if self.flip:
            inputs = torch.cat([inputs, inputs.flip(3)])
        found = self.model.cams(inputs.contiguous(memory_format=torch.channels_last))[self.which]
        maps = enlarged(found[rows, channels], size, (height, width))
        if self.flip:
            maps += enlarged(found[rows + len(images), channels], size, (height, width)).flip(2)
        return maps


def resized(images: Tensor, scale: float) -> Tensor:
    """Images ``(N, 3, H, W)`` of 0..255 at a scale, rounded as an 8-bit image would be."""
    size = scaled_size(images.shape[2:], scale)
    if size == list(images.shape[2:]):
        return images
    return (
        F.interpolate(images, size, mode='bicubic', align_corners=False, antialias=True)
        .round_()
        .clamp_(0, 255)
    )


def scaled_size(size: Sequence[int], scale: float) -> list[int]:
    """Height and width at a scale, in whole pixels, at least 1.

    Raises:
        InvalidInputError: both would be 0.
    """
    scaled = [round(n * scale) for n in size]
    if max(scaled) < 1:
        raise InvalidInputError(
            f'at scale {scale} (of inference.scales, times image_scale) nothing is left of an '
            f'image of {size[0]} x {size[1]} pixels (height x width), expected at least '
            f'{1 / max(size):.2g}'
        )
    return [max(n, 1) for n in scaled]


def enlarged(maps: Tensor, size: Sequence[int], full_size: tuple[int, int]) -> Tensor:
    """Maps ``(P, h, w)`` at the size of their input, then at that of the image."""
    large = F.interpolate(maps[:, None].float(), list(size), mode='bilinear', align_corners=True)
    return F.interpolate(large, full_size, mode='bilinear', align_corners=False)[:, 0]


def stretched(total: Tensor) -> Tensor:
    """Each map ``(P, H, W)`` from its least value to its greatest: 0 to almost 1."""
    return max_norm(total[None])[0]


class OldNetwork:
    """The network of the step before, which finds old classes in the images of a step.

    Images are taken whole, at the config's ``image_scale``; probabilities are
    the softmax of the logits, enlarged to the image's size.

    Args:
        experiment: The experiment.
        step: The step, from 1.
        checkpoint: ``final.pth`` of the step before.

    Raises:
        MissingFileError, InvalidInputError: It is not there, damaged, or of
            another step or protocol.
    """

    def __init__(self, experiment: Experiment, step: int, checkpoint: str | Path) -> None:
        content, found = read_experiment_checkpoint(experiment, checkpoint)
        if found != step - 1:
            raise InvalidInputError(
                f'checkpoint {checkpoint} is of step {found}; SEAM of step {step} looks through '
                f'the network of step {step - 1}'
            )
        self.scale = experiment.config['image_scale']
        self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        self.model = MODELS.build(network_config(experiment, found))
        load_weights(self.model, content['state_dict'], checkpoint)
        self.model.to(self.device).eval()
        #: uint8, the dataset id of each output
        self.ids = np.array([0, *experiment.protocol.seen(found)], np.uint8)

    def __call__(
        self, dataset: SegDataset, indices: Sequence[int]
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Look at images, in any order.

        Yields:
            An image's index, the most likely class, uint8 ``(H, W)`` of dataset
            ids, and its probability, float32 ``(H, W)``.
        """
        for chosen, images in equal_size_batches(dataset, indices, batch_size=4):
            best, classes = self.probabilities(images).max(1)
            labels = self.ids[classes.cpu().numpy()]
            yield from zip(chosen, labels, best.cpu().numpy(), strict=True)

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """Images uint8 ``(N, 3, H, W)``, BGR -> float32 ``(N, classes, H, W)``."""
        size = images.shape[2:]
        inputs = resized(images.to(self.device).float(), self.scale)
        inputs = self.model.data_preprocessor(dict(inputs=inputs))['inputs']
        logits = self.model.extract(inputs, auxiliary=False).logits['decode_head']
        return F.interpolate(logits.float(), size, mode='bilinear', align_corners=False).softmax(1)


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
