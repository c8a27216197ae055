"""The AffinityNet that the random walk of a config uses, from two sets of pseudo-labels."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from incseg.datasets import ColourJitter, PseudoLabelFiles
from incseg.engine.checkpoint import check_finite, read_step_checkpoint, save_atomically, sealed
from incseg.engine.hooks.start import load_backbone
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.weak.affinity.dataset import AffinityDataset
from incseg.engine.weak.affinity.training import checkpoint_of, train_affinity
from incseg.engine.weak.seam_config import weak_training_set
from incseg.errors import InvalidInputError
from incseg.models import AffinityNet
from incseg.registry import DATASETS, MODELS
from incseg.utils.outputs import check_outputs
from incseg.utils.precision import gpu_arithmetic
from incseg.utils.rules import expected

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
    force: bool = False,
) -> dict[str, Any]:
    """Train the AffinityNet of ``seam.refine`` and write its checkpoint, whole or not at all.

    Momentum, weight decay, the factor of new layers, the poly power and autocast
    are those of ``seam.schedule``; TF32 is ``schedule.tf32``.

    Args:
        experiment: The experiment; its ``seam.refine`` is an ``AffinityRandomWalk``
            with a ``net``.
        strong: ``<root>/<protocol>/<step>`` of labels made with background power 4.
        weak: That of labels made with background power 24.
        out: The checkpoint to write.
        init_from: A ``seam.pth`` or ``final.pth`` whose backbone is copied; None for the
            weights that the config of the network names.
        epochs, batch_size, crop_size, lr: See :func:`train_affinity` and
            :class:`AffinityDataset`.
        force: Whether ``out`` may be there already.

    Returns:
        The checkpoint's ``meta``: ``images``, ``loss`` (mean of the last epoch),
        ``seconds``, ``pretrained``, ``init_from``, ``seed``, ``epochs``,
        ``batch_size``, ``crop_size`` and ``lr``.

    Raises:
        UserError: The config, a file or a number is not acceptable, or ``out`` is an input
            or there already.
    """
    if Path(out).is_dir():
        raise expected('out', str(out), 'the name of a file to write, no folder')
    config = experiment.config
    seam = config.get('seam') or {}
    refine = seam.get('refine') or {}
    if 'net' not in refine:
        raise expected(
            'seam.refine',
            refine,
            "dict(type='AffinityRandomWalk', net=dict(type='AffinityNet', …), …)",
        )
    schedule = seam['schedule']
    pretrained = starts_from_imagenet(refine['net'], init_from)
    pair = PseudoLabelFiles(strong), PseudoLabelFiles(weak)
    check_powers(*pair)
    images = DATASETS.build(weak_training_set(experiment))
    check_outputs([out], _inputs(images, pair, init_from), force=force)
    torch.manual_seed(experiment.seed)
    net = starting_net(refine['net'], pretrained, init_from)
    net.to('cuda' if torch.cuda.is_available() else 'cpu')
    data = AffinityDataset(
        images,
        *pair,
        crop_size,
        ColourJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    )
    start = time.monotonic()
    with gpu_arithmetic(experiment.tf32, deterministic=experiment.deterministic):
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
    content = sealed(content, 'affinity')
    save_atomically(content, out)
    return dict(content['meta'])


def _inputs(
    images: Any, pair: Iterable[PseudoLabelFiles], init_from: str | Path | None
) -> list[str | Path]:
    """Return the files of a data set and of pseudo-labels, and the first weights."""
    labels = (path for files in pair for path in files.folder.rglob('*'))
    return [*images.input_files(), *labels, *([] if init_from is None else [init_from])]


def check_powers(strong: PseudoLabelFiles, weak: PseudoLabelFiles) -> None:
    """Refuse strong and weak pseudo-labels in the wrong order.

    The power is the exponent of the background rule ``(1 - best) ** power``, as ``meta.json``
    records it; labels of an unknown power are accepted.

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
    """Return the exponent of the background ``(1 - best) ** power`` before the refinement.

    None if the labels' ``meta.json`` is missing or has no such exponent.
    """
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
    """Build the AffinityNet with the weights that it starts from.

    Args:
        net: Config of the network.
        pretrained: Whether its norms start with ImageNet's statistics; if so it is frozen,
            unless its config says otherwise.
        init_from: A checkpoint whose backbone is copied; None for ``init_weights``.

    Raises:
        MissingFileError, InvalidInputError: ``init_from`` has no backbone that fits.
    """
    model: AffinityNet = MODELS.build({'frozen': pretrained, **net})
    if init_from is None:
        model.init_weights()
    else:
        load_backbone(model.backbone, str(init_from))
    return model
