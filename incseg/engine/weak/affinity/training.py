"""The training loop of AffinityNet."""

import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from incseg.engine.recipe.step import optimizer_config
from incseg.engine.runner.optim import FineTuneOptimConstructor
from incseg.engine.weak.affinity.dataset import AffinityDataset
from incseg.errors import InvalidInputError, NonFiniteLossError
from incseg.models import AffinityNet
from incseg.utils.precision import autocasts
from incseg.utils.progress import Progress
from incseg.utils.rules import expected

#: iterations between two readings of losses on a GPU
READ_EVERY = 50


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
        The loss of every iteration.  On a GPU losses are read every 50 iterations, so that none
        waits for them, and it may train so much longer after a loss became NaN.

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
    device = net.joint.weight.device
    loader = DataLoader(
        data,
        batch_sampler=batches,  # type: ignore[arg-type]
        num_workers=num_workers,
        pin_memory=device.type == 'cuda',
    )
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
    pending: list[Tensor] = []
    every = 1 if device.type == 'cpu' else READ_EVERY
    net.train()
    with closing(Progress(sum(map(len, batches)), 'AffinityNet', progress)) as bar:
        for images, labels in loader:
            inputs = net.data_preprocessor(dict(inputs=images))['inputs']
            with wrapper.optim_context(net):
                loss = net.loss(inputs, labels.to(device, non_blocking=True))
            pending.append(loss.detach())
            if len(pending) == every:
                read_losses(pending, losses, lr)
            wrapper.update_params(loss)
            schedule.step()
            bar.update(len(images))
        read_losses(pending, losses, lr)
    if not any(losses):
        raise InvalidInputError(
            'AffinityNet learned nothing: in no crop had two neighbours a label of which both '
            'sets of pseudo-labels were sure'
        )
    return losses


def read_losses(pending: list[Tensor], losses: list[float], lr: float) -> None:
    """Move losses from the device to the list of those that were read; it waits for a GPU.

    Args:
        pending: Scalars; emptied.
        losses: Losses of the iterations before; gets theirs.
        lr: The learning rate, for the message.

    Raises:
        NonFiniteLossError: One is NaN or infinite.
    """
    for value in torch.stack(pending).tolist() if pending else ():
        losses.append(value)
        if not math.isfinite(value):
            raise NonFiniteLossError(
                f'the loss of AffinityNet became {value} at iteration {len(losses) - 1}; '
                f'lr={lr} may be too high'
            )
    pending.clear()


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
