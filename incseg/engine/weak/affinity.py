"""Training of the AffinityNet that the random walk of a config uses."""

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
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import optimizer_config
from incseg.engine.runner.optim import FineTuneOptim
from incseg.engine.weak.affinity_dataset import AffinityDataset
from incseg.engine.weak.seam_config import weak_training_set
from incseg.errors import InvalidInputError, NonFiniteLossError
from incseg.models import AffinityNet
from incseg.registry import DATASETS, MODELS
from incseg.utils.precision import autocasts, gpu_arithmetic
from incseg.utils.progress import Progress

#: keys that are taken from ``seam.schedule`` if it has them
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
    """Train the AffinityNet of ``seam.refine`` and write its checkpoint atomically.

    Momentum, weight decay, the factor of new layers, the poly power and autocast
    are those of ``seam.schedule``; TF32 is ``schedule.tf32``.

    Args:
        experiment: The experiment; its ``seam.refine`` is an ``AffinityRandomWalk``
            with a ``net``.
        strong: ``<root>/<protocol>/<step>`` of labels made with background power 4.
        weak: That of labels made with background power 24.
        out: The checkpoint to write.
        init_from: A ``seam.pth`` or ``final.pth`` whose backbone is copied.
        epochs, batch_size, crop_size, lr: See :func:`train_affinity` and
            :class:`AffinityDataset`.

    Returns:
        The checkpoint's ``meta``: ``images``, ``loss`` (mean of the last epoch),
        ``seconds``, ``pretrained``, ``init_from``, ``seed``, ``epochs``,
        ``batch_size``, ``crop_size`` and ``lr``.

    Raises:
        UserError: The config, a file or a number is not acceptable.
    """
    if Path(out).is_dir():
        raise InvalidInputError(f"'{out}' is a folder; allowed is the name of a file to write")
    config = experiment.config
    seam = config.get('seam') or {}
    refine = seam.get('refine') or {}
    if 'net' not in refine:
        raise InvalidInputError(
            f'seam.refine is {refine}; allowed here is dict(type="AffinityRandomWalk", '
            'net=dict(type="AffinityNet", …), …)'
        )
    schedule = seam['schedule']
    pretrained = starts_from_imagenet(refine['net'], init_from)
    pair = PseudoLabelFiles(strong), PseudoLabelFiles(weak)
    check_powers(*pair)
    torch.manual_seed(experiment.seed)
    net = starting_net(refine['net'], pretrained, init_from)
    net.to('cuda' if torch.cuda.is_available() else 'cpu')
    data = AffinityDataset(
        DATASETS.build(weak_training_set(experiment)),
        *pair,
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
    """Refuse strong and weak labels in the wrong order, if both ``meta.json`` have their powers.

    Raises:
        InvalidInputError: Naming both folders and powers.
    """
    of_strong, of_weak = background_power(strong), background_power(weak)
    if of_strong is not None and of_weak is not None and of_strong >= of_weak:
        raise InvalidInputError(
            f"the strong labels '{strong.folder}' have background power {of_strong:g}, the weak "
            f"ones '{weak.folder}' {of_weak:g}; expected the smaller power first, as 4 and 24: "
            'the greater it is, the weaker is the background'
        )


def background_power(files: PseudoLabelFiles) -> float | None:
    """Return the power of the background that scores were refined with; None if unknown."""
    if not files.meta_path.is_file():
        return None
    background = files.read_meta().get('background') or {}
    return background.get('value') if background.get('mode') == 'pow' else None


def starts_from_imagenet(net: Mapping[str, Any], init_from: str | Path | None) -> bool:
    """Return whether the backbone's BatchNorm starts with ImageNet's statistics.

    Without ``init_from`` this is the backbone's ``pretrained``.  A SEAM network
    that started from ImageNet still has these statistics; any other network has
    statistics of the images that it was trained on.

    Raises:
        MissingFileError, InvalidInputError: ``init_from`` does not exist or is damaged.
    """
    if init_from is None:
        return bool(net.get('backbone', {}).get('pretrained', False))
    meta = read_step_checkpoint(init_from)['meta']
    return meta['method'] == 'seam' and bool(meta.get('pretrained', False))


def starting_net(
    net: Mapping[str, Any], pretrained: bool, init_from: str | Path | None
) -> AffinityNet:
    """Build the network with its first weights; frozen if pretrained, unless its config differs.

    Raises:
        MissingFileError, InvalidInputError: ``init_from`` has no backbone that fits.
    """
    model: AffinityNet = MODELS.build({'frozen': pretrained, **net})
    if init_from is None:
        model.init_weights()
    else:
        load_backbone(model.backbone, str(init_from))
    return model


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

    The optimiser is SGD with the groups of :class:`FineTuneOptim`; at iteration
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
        poly_power: See above.
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
    """Yield the batches of ``(index, seed)`` of all epochs, each epoch in a random order."""
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(length).tolist()
        for start in range(0, max(length - batch_size, 0) + 1, batch_size):
            chosen = order[start : start + batch_size]
            yield [(index, int(rng.integers(2**31))) for index in chosen]


def checkpoint_of(net: AffinityNet, **meta: Any) -> dict[str, Any]:
    """Return ``{state_dict, meta}`` on the CPU, as ``AffinityRandomWalk`` reads it."""
    weights = {name: value.detach().cpu() for name, value in net.state_dict().items()}
    return dict(state_dict=weights, meta=meta)
