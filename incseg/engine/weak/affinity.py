"""From two sets of pseudo-labels to the AffinityNet that a config's random walk uses."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from incseg.datasets import ColourJitter, PseudoLabelFiles
from incseg.engine.checkpoint import check_finite, read_step_checkpoint, save_atomically
from incseg.engine.hooks.start import load_backbone
from incseg.engine.recipe.data import weak_training_set
from incseg.engine.recipe.experiment import Experiment, resolve
from incseg.engine.recipe.step import optimizer_config
from incseg.engine.runner.optim import FineTuneOptim
from incseg.engine.weak.affinity_dataset import AffinityDataset
from incseg.errors import InvalidInputError, NonFiniteLossError
from incseg.models import AffinityNet
from incseg.registry import DATASETS, MODELS
from incseg.utils.precision import autocasts, gpu_arithmetic
from incseg.utils.progress import Progress

#: what is taken from ``seam.schedule`` if it is there
SCHEDULE = ('head_factor', 'weight_decay', 'poly_power', 'amp')


def affinity_job(
    experiment: Experiment,
    strong: str | Path,
    weak: str | Path,
    out: str | Path,
    init_from: str | Path | None = None,
    *,
    epochs: int = 8,
    batch_size: int = 8,
    crop_size: int = 448,
    lr: float = 0.01,
) -> dict[str, Any]:
    """Train the AffinityNet of ``seam.refine`` and write it, whole or not at all.

    Momentum, weight decay, the factor of new layers, the fall of the rate and
    autocast are those of ``seam.schedule``; TF32 is ``schedule.tf32``.

    Args:
        experiment: its ``seam.refine`` is an ``AffinityRandomWalk`` with a ``net``.
        strong: ``<root>/<protocol>/<step>``, made with background power 4.
        weak: the same with background power 24.
        out: the checkpoint to write.
        init_from: a ``seam.pth`` or ``final.pth`` whose backbone is taken over.
        epochs, batch_size, crop_size, lr: see :func:`train_affinity` and
            :class:`AffinityDataset`.

    Returns:
        The checkpoint's ``meta``: ``images``, ``loss`` (mean of the last epoch),
        ``seconds``, ``pretrained``, and what it was trained with.

    Raises:
        UserError: whatever is wrong with the config, a file or a number.
    """
    if Path(out).is_dir():
        raise InvalidInputError(f"'{out}' is a folder; allowed is the name of a file to write")
    config = experiment.config
    seam = resolve(config.get('seam') or {}, config)
    refine = seam.get('refine') or {}
    if 'net' not in refine:
        raise InvalidInputError(
            f'seam.refine is {refine}; allowed here is dict(type="AffinityRandomWalk", '
            'net=dict(type="AffinityNet", …), …)'
        )
    schedule = seam['schedule']
    pretrained = starts_from_imagenet(refine['net'], init_from)
    sure = PseudoLabelFiles(strong), PseudoLabelFiles(weak)
    check_powers(*sure)
    torch.manual_seed(experiment.seed)
    net = starting_net(refine['net'], pretrained, init_from)
    net.to('cuda' if torch.cuda.is_available() else 'cpu')
    data = AffinityDataset(
        DATASETS.build(weak_training_set(experiment)),
        *sure,
        crop_size,
        ColourJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    )
    start = time.monotonic()
    with gpu_arithmetic(experiment.tf32):
        losses = train_affinity(
            net,
            data,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            seed=experiment.seed,
            momentum=schedule['momentum']['pretrained' if pretrained else 'scratch'],
            num_workers=config['num_workers'],
            **{key: schedule[key] for key in SCHEDULE if key in schedule},
        )
    last = losses[-(len(losses) // epochs) :]
    content = checkpoint_of(
        net,
        seed=experiment.seed,
        epochs=epochs,
        batch_size=batch_size,
        crop_size=crop_size,
        lr=lr,
        pretrained=pretrained,
        init_from=None if init_from is None else str(init_from),
        images=len(data),
        loss=sum(last) / len(last),
        seconds=time.monotonic() - start,
    )
    check_finite(content['state_dict'], "at the end of AffinityNet's training")
    save_atomically(content, out)
    return dict(content['meta'])


def check_powers(strong: PseudoLabelFiles, weak: PseudoLabelFiles) -> None:
    """Refuse labels that were mistaken for each other, as far as their ``meta.json`` tell."""
    of_strong, of_weak = background_power(strong), background_power(weak)
    if of_strong is not None and of_weak is not None and of_strong >= of_weak:
        raise InvalidInputError(
            f"the strong labels '{strong.folder}' have background power {of_strong:g}, the weak "
            f"ones '{weak.folder}' {of_weak:g}; expected the smaller power first, as 4 and 24: "
            'the greater it is, the weaker is the background'
        )


def background_power(files: PseudoLabelFiles) -> float | None:
    """The exponent of the background that refined scores were made with; None if unknown."""
    if not files.meta_path.is_file():
        return None
    background = files.read_meta().get('background') or {}
    return background.get('value') if background.get('mode') == 'pow' else None


def starts_from_imagenet(net: Mapping[str, Any], init_from: str | Path | None) -> bool:
    """Whether the backbone's BatchNorm holds ImageNet's statistics.

    Without ``init_from`` the config says so (``pretrained``).  A SEAM network
    that started from ImageNet has kept them; any other has statistics of the
    images it was trained on.
    """
    if init_from is None:
        return bool(net.get('backbone', {}).get('pretrained', False))
    meta = read_step_checkpoint(init_from)['meta']
    return meta['method'] == 'seam' and bool(meta.get('pretrained', False))


def starting_net(
    net: Mapping[str, Any], pretrained: bool, init_from: str | Path | None
) -> AffinityNet:
    """The network before training; frozen after ImageNet, unless its config says otherwise."""
    made: AffinityNet = MODELS.build({'frozen': pretrained, **net})
    if init_from is None:
        made.init_weights()
    else:
        load_backbone(made.backbone, str(init_from))
    return made


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

    SGD with the groups of :class:`FineTuneOptim`; the rate falls as
    ``(1 - i / n) ** poly_power``.  Dropout is on, and BatchNorm learns unless
    ``net.frozen``.  Dropout draws from torch's own generator.

    Args:
        net: the network, on its device.
        data: its images and labels.
        epochs: how often each image is seen.
        batch_size: images in a batch; a last, shorter batch is left out unless
            it is the only one.
        lr: rate of the backbone.
        head_factor: how much faster the convolutions on it learn.
        momentum: 0 is, to a rounding, what the published optimiser has (5e-4
            where 0.9 was meant).
        weight_decay: of all weights, but not of biases.
        poly_power: see above.
        amp: whether the network runs under bfloat16 autocast; ``'auto'``: where
            the device has the instructions.
        seed: of order, colours, crops and flips.
        num_workers: processes that read images.
        progress: whether to report on stderr.

    Returns:
        The loss of every iteration.

    Raises:
        InvalidInputError: a number is out of range, or no crop showed two
            neighbours with a label.
        NonFiniteLossError: the loss became NaN or infinite.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018; numbers and groups as in
    SEAM's training of it.
    """
    if epochs < 1 or batch_size < 1 or not lr > 0:
        raise InvalidInputError(
            f'epochs={epochs}, batch_size={batch_size} and lr={lr} of AffinityNet; allowed are '
            'whole numbers of at least 1 and a rate above 0'
        )
    batches = list(epoch_batches(len(data), epochs, batch_size, seed))
    loader = DataLoader(data, batch_sampler=batches, num_workers=num_workers)  # type: ignore
    device = net.joint.weight.device
    optimizer = dict(type='SGD', momentum=momentum, weight_decay=weight_decay)
    wrapper = FineTuneOptim(
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
    """Batches of ``(index, seed)`` of all epochs, each epoch in its own order."""
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(length).tolist()
        for start in range(0, max(length - batch_size, 0) + 1, batch_size):
            chosen = order[start : start + batch_size]
            yield [(index, int(rng.integers(2**31))) for index in chosen]


def checkpoint_of(net: AffinityNet, **meta: Any) -> dict[str, Any]:
    """What ``AffinityRandomWalk`` reads, ``{state_dict, meta}``, on the CPU."""
    weights = {name: value.detach().cpu() for name, value in net.state_dict().items()}
    return dict(state_dict=weights, meta=meta)
