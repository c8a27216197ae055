"""From two sets of pseudo-labels to the AffinityNet that a config's random walk uses."""
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from incseg.datasets import ColourJitter, PseudoLabelFiles
from incseg.engine.affinity_dataset import AffinityDataset
from incseg.engine.affinity_training import checkpoint_of, train_affinity
from incseg.engine.checkpoint import check_finite, read_step_checkpoint, save_atomically
from incseg.engine.experiment import Experiment
from incseg.engine.gpu_arithmetic import gpu_arithmetic
from incseg.engine.hooks.start_backbone_hook import load_backbone
from incseg.engine.resolve import resolve
from incseg.engine.training_set import weak_training_set
from incseg.errors import InvalidInputError
from incseg.models import AffinityNet
from incseg.registry import DATASETS, MODELS

#: what is taken from ``seam.schedule`` if it is there
SCHEDULE = ('head_factor', 'weight_decay', 'poly_power', 'amp')


def affinity_job(
    experiment: Experiment, strong: str | Path, weak: str | Path, out: str | Path,
    init_from: str | Path | None = None, *, epochs: int = 8, batch_size: int = 8,
    crop_size: int = 448, lr: float = 0.01,
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
            'net=dict(type="AffinityNet", …), …)')
    schedule = seam['schedule']
    pretrained = starts_from_imagenet(refine['net'], init_from)
    sure = PseudoLabelFiles(strong), PseudoLabelFiles(weak)
    check_powers(*sure)
    torch.manual_seed(experiment.seed)
    net = starting_net(refine['net'], pretrained, init_from)
    net.to('cuda' if torch.cuda.is_available() else 'cpu')
    data = AffinityDataset(
        DATASETS.build(weak_training_set(experiment)), *sure, crop_size,
        ColourJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1))
    start = time.monotonic()
    with gpu_arithmetic(experiment.tf32):
        losses = train_affinity(
            net, data, epochs=epochs, batch_size=batch_size, lr=lr, seed=experiment.seed,
            momentum=schedule['momentum']['pretrained' if pretrained else 'scratch'],
            num_workers=config['num_workers'],
            **{key: schedule[key] for key in SCHEDULE if key in schedule})
    last = losses[-(len(losses) // epochs):]
    content = checkpoint_of(
        net, seed=experiment.seed, epochs=epochs, batch_size=batch_size, crop_size=crop_size,
        lr=lr, pretrained=pretrained, init_from=None if init_from is None else str(init_from),
        images=len(data), loss=sum(last) / len(last), seconds=time.monotonic() - start)
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
            'the greater it is, the weaker is the background')


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
