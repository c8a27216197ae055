"""The library from Python: what a notebook would do."""

from pathlib import Path

import torch

from incseg.apis import (
    Inferencer,
    inference_model,
    init_model,
    load_config,
    prepare_for_inference,
)
from incseg.engine import Experiment, train_protocol
from incseg.models.losses.functional import (
    fused_incremental_loss,
    unbiased_cross_entropy,
    unbiased_distillation,
)
from incseg.protocols import Protocol


def train(config, work_dir, **options):
    """Train all steps, without a shared base step; returns the ledger."""
    return train_protocol(load_config(config, options), work_dir, reuse=False)


def describe(config, **options):
    """Number of steps, names of all classes, and the protocol again from its name."""
    experiment = Experiment(load_config(config, options))
    protocol = Protocol.parse(experiment.protocol.name, len(experiment.classes) - 1)
    return experiment.num_steps, experiment.classes, protocol


def segment(config, checkpoint, image):
    """Train ids of one picture, by the network and by its fast form; classes by number."""
    model = init_model(config, checkpoint)
    plain = inference_model(model, image).pred_sem_seg.data[0]
    fast = inference_model(prepare_for_inference(model), [image])[0].pred_sem_seg.data[0]
    return plain, fast, model.dataset_meta['classes']


def paint(config, checkpoint, folder, out_dir):
    """Paint a folder of pictures; returns the names of the files."""
    samples = Inferencer(config, checkpoint)(str(folder), out_dir=out_dir)
    assert all(sample.pred_sem_seg.data.shape[0] == 1 for sample in samples)
    return sorted(path.name for path in Path(out_dir).iterdir())


def losses_both_ways(logits, teacher, target, num_old):
    """MiB's loss from low-resolution logits, and the same in plain form."""
    size = tuple(target.shape[-2:])
    fused = fused_incremental_loss(logits, teacher, target, num_old)
    large, old = (
        torch.nn.functional.interpolate(x, size=size, mode='bilinear') for x in (logits, teacher)
    )
    return fused, (
        unbiased_cross_entropy(large, target, num_old),
        unbiased_distillation(large, old),
    )
