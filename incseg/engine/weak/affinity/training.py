"""The training loop of AffinityNet."""

import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from incseg.engine.recipe.step import optimizer_config
from incseg.engine.runner.optim import FineTuneOptimConstructor
from incseg.engine.weak.affinity.dataset import AffinityDataset
from incseg.errors import InvalidInputError, NonFiniteLossError
from incseg.models import AffinityNet
from incseg.utils.precision import autocasts
from incseg.utils.progress import Progress
from incseg.utils.rules import expected


def train_affinity(
    net: AffinityNet,
    data: AffinityDataset,
    *,
    epochs: int = 8,
    batch_size: int = 8,
    lr: float = 0.01,
    head_factor: float = 10.0,
    momentum: float = 0.0,
    weight_decay: float = 5e-4,
    poly_power: float = 0.9,
    amp: bool | str = False,
    seed: int = 42,
    num_workers: int = 0,
    progress: bool = True,
) -> list[float]:
    """Train an AffinityNet, in one process.

    The optimiser is SGD with the groups of :class:`FineTuneOptimConstructor`; at iteration
    ``i`` of ``n`` the learning rate is ``lr * (1 - i / n) ** poly_power``.  Dropout
    is on and draws from torch's own generator.  BatchNorm learns unless ``net.frozen``.

    Args:
        net: The network, on its device.
        data: Its images and labels.
        epochs: Number of passes over the images.
        batch_size: Images in a batch; a last, shorter batch is left out unless
            it is the only one.
        lr: Learning rate of the backbone.
        head_factor: Factor on the learning rate of the new convolutions.
        momentum: Momentum of SGD.  The published optimiser has 5e-4 where 0.9
            was meant, which is 0 up to rounding.
        weight_decay: Weight decay of all weights except biases.
        poly_power: Exponent of the decay of the learning rate.
        amp: Whether the network runs under bfloat16 autocast; ``'auto'``: if the
            device has the instructions.
        seed: Seed of order, colours, crops and flips.
        num_workers: Number of processes that read images.
        progress: Whether to report on stderr.

    Returns:
        The loss of every iteration.

    Raises:
        InvalidInputError: A number is out of range, or no crop has two labelled
            neighbours.
        NonFiniteLossError: The loss became NaN or infinite.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018; numbers and groups as in
    SEAM's training of it.
    """
    if epochs < 1 or batch_size < 1 or not lr > 0:
        raise expected(
            '(epochs, batch_size, lr) of AffinityNet',
            (epochs, batch_size, lr),
            'whole numbers of at least 1 and a rate above 0',
        )
    batches = list(epoch_batches(len(data), epochs, batch_size, seed))
    loader = DataLoader(data, batch_sampler=batches, num_workers=num_workers)  # type: ignore
    device = net.joint.weight.device
    optimizer = dict(type='SGD', momentum=momentum, weight_decay=weight_decay)
    wrapper = FineTuneOptimConstructor(
        dict(
            type='StepOptimWrapper',
            amp=autocasts(amp, device),
            optimizer=optimizer_config(optimizer, lr),
        ),
        dict(head_factor=head_factor),
    )(net)
    schedule = torch.optim.lr_scheduler.PolynomialLR(wrapper.optimizer, len(batches), poly_power)
    losses: list[float] = []
    net.train()
    with closing(Progress(sum(map(len, batches)), 'AffinityNet', progress)) as bar:
        for images, labels in loader:
            inputs = net.data_preprocessor(dict(inputs=images))['inputs']
            with wrapper.optim_context(net):
                loss = net.loss(inputs, labels.to(device))
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise NonFiniteLossError(
                    f'the loss of AffinityNet became {losses[-1]} at iteration '
                    f'{len(losses) - 1}; lr={lr} may be too high'
                )
            wrapper.update_params(loss)
            schedule.step()
            bar.update(len(images))
    if not any(losses):
        raise InvalidInputError(
            'AffinityNet learned nothing: in no crop had two neighbours a label of which both '
            'sets of pseudo-labels were sure'
        )
    return losses


def epoch_batches(
    length: int, epochs: int, batch_size: int, seed: int
) -> Iterator[list[tuple[int, int]]]:
    """Yield the batches of all epochs, each epoch in a random order.

    A last, shorter batch is left out, unless it is the only one of the epoch.

    Args:
        length: Number of images.
        epochs: Number of epochs.
        batch_size: Images in a batch.
        seed: Seed of the orders and of the items' seeds.

    Yields:
        ``(index, seed)`` of each image in the batch.
    """
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(length).tolist()
        for start in range(0, max(length - batch_size, 0) + 1, batch_size):
            batch = order[start : start + batch_size]
            yield [(index, int(rng.integers(2**31))) for index in batch]


def checkpoint_of(net: AffinityNet, **meta: Any) -> dict[str, Any]:
    """Return the content of a checkpoint that :class:`AffinityRandomWalk` reads.

    Args:
        net: The trained network.
        meta: Plain data about its training.

    Returns:
        ``{state_dict, meta}``, the tensors on the CPU.
    """
    weights = {name: value.detach().cpu() for name, value in net.state_dict().items()}
    return dict(state_dict=weights, meta=meta)
