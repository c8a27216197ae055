"""Pseudo-labels from the config of a weak experiment and the checkpoint of its network."""
import hashlib
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from torch import nn

from incseg.datasets import BackgroundRule, PseudoLabelFiles, export_coco, visible_labels
from incseg.engine.cam_inference import CamInference
from incseg.engine.checkpoint import check_protocol, load_weights, read_step_checkpoint
from incseg.engine.experiment import Experiment
from incseg.engine.pseudo_label_maker import PseudoLabelMaker
from incseg.engine.pseudo_labels import make_pseudo_labels
from incseg.engine.seam_settings import SeamSettings
from incseg.engine.step_config import resolve
from incseg.registry import DATASETS, MODELS, TASK_UTILS


def pseudo_label_job(
    config: Any, checkpoint: str | Path, out: str | Path, resume: bool = False,
    coco: bool = False,
) -> PseudoLabelFiles:
    """Make the pseudo-labels of the step whose network a checkpoint holds.

    Args:
        config: a complete config with ``seam``.
        checkpoint: ``{state_dict, meta}`` of the network.
        out: the root; ``<protocol>/<step>`` below it receives the files.
        resume: whether an interrupted run goes on.
        coco: whether ``coco.json`` is written as well.

    Returns:
        The files.

    Raises:
        UserError: whatever is wrong with the config, the checkpoint or a file.
    """
    experiment, seam = Experiment(config), SeamSettings.of(config)
    content = read_step_checkpoint(checkpoint)
    step = content['meta']['step']
    check_protocol(content['meta'], experiment.describe_protocol(), checkpoint)
    experiment.check_step(step, f'checkpoint {checkpoint}: step')
    protocol = experiment.protocol
    class_ids = protocol.new(step) if seam.scope == 'step' else protocol.class_order
    model = _network(seam.model, len(class_ids), content['state_dict'], checkpoint)

    dataset = DATASETS.build(resolve(config['data'], config)['train'])
    source = TASK_UTILS.build(seam.image_labels, default_args=dict(dataset=dataset))
    labels = source.labels(dataset.image_ids)
    indices = protocol.select(labels, step)
    files = PseudoLabelFiles.of_step(out, protocol.name, step)
    options = seam.inference
    scales = [scale * config['image_scale'] for scale in options['scales']]
    maker = PseudoLabelMaker(
        CamInference(model, scales, options['flip']), class_ids, files,
        BackgroundRule.of(options['background'], 'seam.inference.background'),
        MODELS.build(seam.refine), uncertain=options['uncertain'],
        score_stride=options['score_stride'] if options['scores'] else 0,
        batch_size=options['batch_size'], num_threads=options['num_threads'])
    make_pseudo_labels(
        maker, dataset, indices, visible_labels(labels, protocol, step, seam.scope), dict(
            dataset=config['data']['name'], protocol=experiment.describe_protocol(), step=step,
            scope=seam.scope, classes=[dataset.metainfo['classes'][i] for i in class_ids],
            ids=list(class_ids), background=options['background'],
            uncertain=options['uncertain'], scales=scales,
            flip=options['flip'], refine=seam.refine, score_stride=maker.score_stride,
            ckpt_sha=hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest(),
            seed=experiment.seed, image_label_source=seam.image_labels), resume)
    if coco and is_main_process():
        export_coco(files, [dataset.image_ids[i] for i in indices], dataset.metainfo['classes'],
                    files.folder / 'coco.json')
    return files


def _network(settings: dict[str, Any], num_classes: int, weights: dict[str, Any],
             path: str | Path) -> nn.Module:
    """The network on this process's device, ready to predict."""
    model = MODELS.build({'num_classes': num_classes, **settings})
    load_weights(model, weights, path)
    device = torch.device('cuda') if torch.cuda.is_available() else torch.device('cpu')
    return model.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
