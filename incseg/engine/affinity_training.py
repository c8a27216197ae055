from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from incseg.engine.affinity_dataset import AffinityDataset
from incseg.errors import InvalidInputError, NonFiniteLossError
from incseg.models import AffinityNet
from incseg.protocols.progress import Progress

POWER = 0.9
#: how much faster the new layers learn than the backbone
NEW_LAYERS = 10.


def train_affinity(
    net: AffinityNet, data: AffinityDataset, *, epochs: int = 8, batch_size: int = 8,
    lr: float = 0.01, weight_decay: float = 5e-4, seed: int = 42, num_workers: int = 0,
    progress: bool = True,
) -> list[float]:
    """Train an AffinityNet, in one process.

    SGD without momentum, as the published code has it; the rate falls as
    ``(1 - i / n) ** 0.9``; the convolutions on the backbone learn ten times as
    fast.  Norms keep their statistics.

    Args:
        net: the network, on its device.
        data: its images and labels.
        epochs: how often each image is seen.
        batch_size: images in a batch; a last, shorter batch is left out unless
            it is the only one.
        lr: rate of the backbone.
        weight_decay: of all weights.
        seed: of order, crops and flips.
        num_workers: processes that read images.
        progress: whether to report on stderr.

    Returns:
        The loss of every iteration.

    Raises:
        InvalidInputError: a number is out of range.
        NonFiniteLossError: the loss became NaN or infinite.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, and its code.
    """
    if epochs < 1 or batch_size < 1 or not lr > 0:
        raise InvalidInputError(
            f'epochs={epochs}, batch_size={batch_size} and lr={lr} of AffinityNet; allowed are '
            'whole numbers of at least 1 and a rate above 0')
    batches = list(epoch_batches(len(data), epochs, batch_size, seed))
    loader = DataLoader(data, batch_sampler=batches, num_workers=num_workers)  # type: ignore
    groups: list[dict[str, Any]] = [
        dict(params=list(net.backbone.parameters())),
        dict(params=[*net.sides.parameters(), *net.joint.parameters()], lr=lr * NEW_LAYERS)]
    optimizer = torch.optim.SGD(groups, lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, len(batches), POWER)
    device = net.joint.weight.device
    losses: list[float] = []
    net.eval()  # norms and dropout stay as in the pretrained backbone
    with closing(Progress(sum(map(len, batches)), 'AffinityNet', progress)) as bar:
        for images, labels in loader:
            inputs = net.data_preprocessor(dict(inputs=images))['inputs']
            loss = net.loss(inputs, labels.to(device))
            if not torch.isfinite(loss):
                raise NonFiniteLossError(
                    f'the loss of AffinityNet became {loss.item()} at iteration {len(losses)}; '
                    f'lr={lr} may be too high')
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            bar.update(len(images))
    return losses


def epoch_batches(
    length: int, epochs: int, batch_size: int, seed: int
) -> Iterator[list[tuple[int, int]]]:
    """Batches of ``(index, seed)`` of all epochs, each epoch in its own order."""
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(length).tolist()
        for start in range(0, max(length - batch_size, 0) + 1, batch_size):
            chosen = order[start:start + batch_size]
            yield [(index, int(rng.integers(2 ** 31))) for index in chosen]


def checkpoint_of(net: AffinityNet, **meta: Any) -> dict[str, Any]:
    """What ``AffinityRandomWalk`` reads, ``{state_dict, meta}``, on the CPU."""
    weights = {name: value.detach().cpu() for name, value in net.state_dict().items()}
    return dict(state_dict=weights, meta=meta)
