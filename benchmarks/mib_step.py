"""Time the training step of the published MiB code and of this library, in turns.

    python benchmarks/mib_step.py REPOSITORY [--size 512] [--batch 2] [--rounds 3] [--threads N]

REPOSITORY is a checkout of github.com/fcdl94/MiB, which is imported and not changed.  Both train
DeepLabV3-R101 at step 1 of VOC 15-1 with MiB's losses: forward of the old network and of the new
one, both losses, backward, SGD.  Its `inplace_abn`, which needs a compiler, is replaced by
BatchNorm and a leaky ReLU of plain torch; distribution and apex take no part.  Reading of pictures
is left out on both sides.  Equal precision is float32; ours at its defaults is bfloat16
where the processor has it.  One profiled step of each gives the time outside
convolutions: that of all torch operations but the convolutions, forward and backward.  Of it the
norms and activations of the networks, which both codes have alike, are told apart from the rest:
losses, resizing, optimiser.
"""

import argparse
import statistics
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from side_by_side import ROOT, ms, report, synchronise, target
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from incseg.apis import load_config
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_config, teacher_config
from incseg.engine.recipe.step import optimizer_config
from incseg.registry import MODELS
from incseg.utils.precision import autocasts

LEAF = ROOT / 'configs/mib/bisenet_r101_15-1.py'
CLASSES = [16, 1]
DEVICE = torch.device('cuda' if torch.cuda.is_available() else 'cpu')


class ActivatedBatchNorm(nn.BatchNorm2d):
    """BatchNorm and the activation of its attributes, in place of inplace_abn's layers."""

    def __init__(
        self, features: int, activation: str = 'leaky_relu', activation_param: float = 0.01
    ):
        super().__init__(features)
        self.activation, self.activation_param = activation, activation_param

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        if self.activation == 'identity':
            return x
        return F.leaky_relu(x, self.activation_param, inplace=True)


def published(repository: Path, size: int, batch: int) -> Callable[[], None]:
    """A training step of the published code."""
    stand_in: Any = types.ModuleType('inplace_abn')
    stand_in.ABN = stand_in.InPlaceABN = stand_in.InPlaceABNSync = ActivatedBatchNorm
    sys.modules['inplace_abn'] = stand_in
    sys.path.insert(0, str(repository))
    from segmentation_module import make_model  # type: ignore[import-not-found]
    from utils.loss import (  # type: ignore[import-not-found]
        UnbiasedCrossEntropy,
        UnbiasedKnowledgeDistillationLoss,
    )

    options = types.SimpleNamespace(
        norm_act='abn',
        backbone='resnet101',
        output_stride=16,
        no_pretrained=True,
        pooling=32,
        fusion_mode='mean',
    )
    student = make_model(options, classes=list(CLASSES)).to(DEVICE).train()
    teacher = make_model(options, classes=CLASSES[:1]).to(DEVICE).eval()
    for parameter in teacher.parameters():
        parameter.requires_grad = False
    optimizer = torch.optim.SGD(
        student.parameters(), 0.001, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    segmentation = UnbiasedCrossEntropy(old_cl=CLASSES[0], ignore_index=255, reduction='none')
    distillation = UnbiasedKnowledgeDistillationLoss(alpha=1.0)
    images, labels = pictures(size, batch)
    images, labels = images.float() / 255, labels.long()

    def step() -> None:
        inputs, target = images.to(DEVICE), labels.to(DEVICE)
        with torch.no_grad():
            old, _ = teacher(inputs, ret_intermediate=0.0)
        optimizer.zero_grad()
        new, _ = student(inputs, ret_intermediate=0.0)
        loss = segmentation(new, target).mean() + 100 * distillation(new, old)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def ours(size: int, batch: int, amp: bool) -> Callable[[], None]:
    """A training step of this library, from its config."""
    config = load_config(LEAF, {'model_base': 'deeplabv3_r101', 'pretrained': False})
    made = model_config(Experiment(config), 1)
    student = MODELS.build(made).to(DEVICE).train()
    student.set_teacher(MODELS.build(teacher_config(made)).to(DEVICE))
    settings = optimizer_config(config['schedule']['optimizer'], 0.001)
    optimizer = getattr(torch.optim, settings.pop('type'))(student.parameters(), **settings)
    images, labels = pictures(size, batch)

    def step() -> None:
        data = student.data_preprocessor(dict(inputs=images))
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=amp):
            losses = student.loss(data['inputs'], labels.to(DEVICE))
        total, _ = student.parse_losses(losses)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        total.item()

    return step


def pictures(size: int, batch: int) -> tuple[Tensor, Tensor]:
    """Images and labels, uint8: background and the class of the step, some void."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (batch, 3, size, size), generator=generator, dtype=torch.uint8)
    labels = torch.zeros(batch, size, size, dtype=torch.uint8)
    labels[:, size // 4 : size // 2, size // 4 : size // 2] = CLASSES[0]
    labels[:, :8] = 255
    return images, labels


def parts_of(step: Callable[[], None]) -> tuple[float, float, float]:
    """Seconds of a step's convolutions, of its norms and activations, and of all else."""
    gpu = DEVICE.type == 'cuda'
    kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if gpu else [])
    with profile(activities=kinds) as record:
        step()
        synchronise()
    convolutions = norms = other = 0.0
    for event in record.key_averages():
        spent = event.self_device_time_total if gpu else event.self_cpu_time_total
        key = event.key.lower()
        if 'conv' in key or 'reorder' in key:
            convolutions += spent
        elif any(word in key for word in ('norm', 'relu', 'threshold')):
            norms += spent
        else:
            other += spent
    return convolutions / 1e6, norms / 1e6, other / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('repository', type=Path)
    parser.add_argument('--size', type=int, default=512)
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--threads', type=int)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if not (args.repository / 'segmentation_module.py').is_file():
        sys.exit(f'no checkout of the published code at {args.repository}')
    torch.manual_seed(0)
    steps = {
        'published, float32': published(args.repository, args.size, args.batch),
        'ours, float32': ours(args.size, args.batch, amp=False),
    }
    defaults = autocasts('auto', DEVICE)
    if defaults:
        steps['ours, defaults'] = ours(args.size, args.batch, amp=True)
    whole: dict[str, list[float]] = {name: [] for name in steps}
    parts: dict[str, list[tuple[float, float, float]]] = {name: [] for name in steps}
    for turn in range(args.rounds + 1):
        for name, step in steps.items():
            synchronise()
            start = time.perf_counter()
            step()
            synchronise()
            if turn:
                whole[name].append(time.perf_counter() - start)
                parts[name].append(parts_of(step))
    rows, beside, rest, total = [], {}, {}, {}
    for name in steps:
        total[name] = statistics.median(whole[name])
        conv, norms, rest[name] = (statistics.median(each) for each in zip(*parts[name]))
        beside[name] = norms + rest[name]
        rows.append((name, ms(total[name]), ms(conv), ms(norms), ms(rest[name])))
    report(
        f'step 1 of VOC 15-1, DeepLabV3-R101, {args.batch} x {args.size} x {args.size}',
        ('code', 'step', 'convolutions', 'norms, activations', 'the rest'),
        rows,
    )
    theirs = 'published, float32'
    for name in list(steps)[1:]:
        target(f'{name}: all but convolution', beside[name] / beside[theirs], at_most=0.5)
        print(f'{name}: of it the rest {rest[name] / rest[theirs]:.2f} of the published one')
        print(f'{name}: whole step {total[name] / total[theirs]:.2f} of the published one')
    if not defaults:
        print('each at its defaults: the same, this processor has no bfloat16')


if __name__ == '__main__':
    main()
