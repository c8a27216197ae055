"""Pseudo-labels from the config of a weak experiment and the checkpoint of its network."""
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process

from incseg.datasets import BackgroundRule, PseudoLabelFiles, export_coco, visible_labels
from incseg.engine.cam_inference import CamInference
from incseg.engine.experiment import Experiment, check_step
from incseg.engine.gpu_arithmetic import gpu_arithmetic
from incseg.engine.named_files import file_sha, named_files
from incseg.engine.pseudo_label_maker import PseudoLabelMaker
from incseg.engine.pseudo_labels import make_pseudo_labels
from incseg.engine.seam_checkpoint import load_seam, own_ids
from incseg.engine.seam_settings import SeamSettings
from incseg.engine.seam_store import describe_steps
from incseg.engine.training_set import weak_training_set
from incseg.errors import InvalidInputError
from incseg.models import SEAM
from incseg.models.batch_norm_folding import fold_batch_norm
from incseg.protocols import Protocol
from incseg.registry import DATASETS, MODELS, TASK_UTILS


def pseudo_label_job(
    experiment: Experiment, checkpoint: str | Path, out: str | Path, step: int | None = None,
    resume: bool = False, coco: bool = False, protocol: Protocol | None = None,
) -> PseudoLabelFiles:
    """Make the pseudo-labels of one step by a trained network.

    Args:
        experiment: the experiment, with ``seam`` in its config.
        checkpoint: the network's ``seam.pth``.
        out: the root; ``<protocol>/<step>`` below it receives the files.
        step: the step; by default the network's own, which one of scope
            ``'all'`` does not have.
        resume: whether an interrupted run goes on.
        coco: whether ``coco.json`` is written as well.
        protocol: the protocol whose step it is; by default the one that the
            experiment trains.

    Returns:
        The files.

    Raises:
        UserError: whatever is wrong with the config, the checkpoint or a file.
    """
    seam = SeamSettings.of(experiment.config)
    protocol = experiment.training if protocol is None else protocol
    model, meta = load_seam(experiment, checkpoint)
    step = step_of(meta, step, protocol, checkpoint)
    options = seam.inference
    dataset = DATASETS.build(weak_training_set(experiment))
    source = TASK_UTILS.build(seam.image_labels, default_args=dict(dataset=dataset))
    labels = source.labels(dataset.image_ids)
    # a single step trains on every image, those that show nothing too
    indices = (np.arange(len(dataset)) if protocol.num_steps == 1
               else protocol.select(labels, step))
    files = PseudoLabelFiles.of_step(out, protocol.name, step)
    scales = [scale * experiment.config['image_scale'] for scale in options['scales']]
    prepare(model)
    maker = PseudoLabelMaker(
        CamInference(model, scales, options['flip'], options['maps']), meta['ids'], files,
        BackgroundRule.of(options['background'], 'seam.inference.background'),
        MODELS.build(seam.refine), uncertain=options['uncertain'],
        score_stride=options['score_stride'] if options['scores'] else 0,
        batch_size=options['batch_size'], num_threads=options['num_threads'])
    made_by = dict(
        dataset=experiment.config['data']['name'], protocol=describe_steps(protocol), step=step,
        **described(meta, experiment), **({} if maker.rule.mode != 'score' else dict(
            background=options['background'])),
        uncertain=options['uncertain'], scales=scales, flip=options['flip'],
        maps=options['maps'], refine=seam.refine, refine_sha=named_files(seam.refine),
        score_stride=maker.score_stride, tf32=experiment.tf32, ckpt_sha=file_sha(checkpoint),
        image_label_source=seam.image_labels)
    shown = visible_labels(labels, protocol, step, meta['scope'])
    with gpu_arithmetic(experiment.tf32):
        make_pseudo_labels(maker, dataset, indices, shown, made_by, resume)
    if coco and is_main_process():
        export_coco(files, [dataset.image_ids[i] for i in indices], dataset.metainfo['classes'],
                    files.folder / 'coco.json')
    return files


def prepare(model: SEAM) -> None:
    """Make a network fast that is only looked through: folded, on its device, channels last."""
    fold_batch_norm(model, [name for name, _ in model.named_children()], lambda images: torch.cat(
        [maps.flatten() for maps in model.cams(images)]))
    model.to('cuda' if torch.cuda.is_available() else 'cpu')
    model.to(memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]


def described(meta: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """What ``meta.json`` says of the network: its scope, its own classes, where it started."""
    own = own_ids(meta)
    return dict(
        scope=meta['scope'], classes=experiment.names(tuple(own)), ids=own,
        pretrained=meta['pretrained'], init_from=meta.get('init_from'), seed=meta['seed'],
        negatives=meta.get('negatives'))


def step_of(meta: dict[str, Any], step: int | None, protocol: Protocol, path: str | Path) -> int:
    """The step whose labels a network is to make."""
    if step is None and meta['scope'] == 'all':
        raise InvalidInputError(
            f"checkpoint {path} knows the classes of all steps (scope 'all'): say which one's "
            f'pseudo-labels to make, --step 0 to {protocol.num_steps - 1}')
    if step is None:
        step = int(meta['step'])
    elif meta['scope'] == 'step' and step != meta['step']:
        raise InvalidInputError(
            f"--step is {step}, but checkpoint {path} knows the classes of step {meta['step']} "
            'alone')
    check_step(step, protocol.num_steps, protocol.name)
    return step
