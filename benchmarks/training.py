"""One training step: what incremental learning adds, what each setting gives, MMSegmentation's.

    python benchmarks/training.py [--depth 18] [--size 512] [--batch 2] [--peer [SCRIPT]]
        [--no-compile]

``--peer`` times MMSegmentation's BiSeNetV1 in turns with ours by ``benchmarks/mmseg_step.py``, or
by another script that takes ``DEPTH SIZE BATCH ITERATIONS [--channels-last] [--bf16] [--tf32]`` and
ends with ``… N ms/img``.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmengine.registry import init_default_scope
from side_by_side import CUDA, ROOT, interleaved, report, synchronise, target, times

from incseg.apis.config.loading import load_config
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_config
from incseg.engine.recipe.step import optimizer_config
from incseg.engine.runner.optim import StepOptimWrapper
from incseg.models.data_preprocessor import SegDataPreProcessor
from incseg.registry import MODELS
from incseg.structures import SegDataSample
from incseg.utils.precision import computes_in_bfloat16

STEP = 1  # a step with a teacher
BF16 = computes_in_bfloat16(torch.device('cuda' if CUDA else 'cpu'))
#: targets: the teacher's forward pass on top of three units; gains over MMSegmentation
INCREMENTAL, EQUAL = 1.34, 1.3 if CUDA else 1.15
DEFAULTS = 3.0 if CUDA else 2.0 if BF16 else 1.3


@dataclass(frozen=True)
class Settings:
    """What a config says about speed, at our defaults."""

    teacher: bool = False  # MiB's incremental step, else plain cross-entropy
    bf16: bool = BF16
    channels_last: bool | None = None  # as suits the processor
    fused_losses: bool = True
    fused_optimizer: bool = True
    tf32: bool = True
    small_labels: bool = True  # uint8 on the wire
    pinned: bool = True
    compiled: bool = False
    width: str = 'narrow'


class Iteration:
    """A network, its optimiser and a batch as the loader gives it; a call trains one iteration.

    Args:
        args: Depth, size and batch.
        settings: The settings.
        outputs: Old and new outputs, the background included; VOC 15-1's by default.
    """

    def __init__(
        self, args: argparse.Namespace, settings: Settings, outputs: Sequence[int] = (20, 1)
    ):
        torch.manual_seed(0)
        config = load_config(
            ROOT / 'configs/mib/bisenet_r101_15-1.py',
            {'pretrained': False, 'model.backbone.depth': args.depth, 'width': settings.width},
        )
        network = model_config(Experiment(config), STEP, init=False)
        network['outputs_per_step'] = list(outputs)
        network['channels_last'] = settings.channels_last
        for head in (network['decode_head'], *network['auxiliary_head'].values()):
            name = 'UnbiasedCrossEntropyLoss' if settings.teacher else 'CrossEntropyLoss'
            head['loss_decode'] = dict(type=name, fused=settings.fused_losses)
        network['distillation'] = (
            {}
            if not settings.teacher
            else dict(logits=dict(network['distillation']['logits'], fused=settings.fused_losses))
        )
        device = 'cuda' if CUDA else 'cpu'
        self.model = MODELS.build(network).to(device).train()
        if settings.teacher:
            smaller = dict(network, outputs_per_step=network['outputs_per_step'][:-1])
            self.model.set_teacher(MODELS.build(smaller).to(device))
        if settings.compiled:
            for part in (self.model, *([self.model.teacher] if settings.teacher else [])):
                for module in (part.backbone, *part.heads.values()):
                    module.compile()
        optimizer = optimizer_config(dict(config.schedule.optimizer), 1e-3)
        kind = getattr(torch.optim, optimizer.pop('type'))
        optimizer['fused'] = settings.fused_optimizer or None  # None: torch's own choice
        self.optimizer = StepOptimWrapper(
            optimizer=kind(self.model.parameters(), **optimizer), amp=settings.bf16
        )
        self.model.data_preprocessor = SegDataPreProcessor().to(device)
        self.tf32 = settings.tf32
        self.batch = batch_of(args.batch, args.size, settings, sum(outputs))

    def __call__(self) -> None:
        torch.backends.cudnn.benchmark = True  # as the Runner sets all three
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.tf32
        self.model.train_step(dict(self.batch), self.optimizer)
        synchronise()


def batch_of(images: int, size: int, settings: Settings, classes: int) -> dict[str, Any]:
    """What a loader's worker puts together."""
    dtype = torch.uint8 if settings.small_labels else torch.int64
    tensors = dict(
        inputs=torch.randint(0, 256, (images, 3, size, size), dtype=torch.uint8),
        labels=torch.randint(0, classes, (images, size, size), dtype=dtype),
    )
    if CUDA and settings.pinned:
        tensors = {name: tensor.pin_memory() for name, tensor in tensors.items()}
    return dict(tensors, data_samples=[SegDataSample() for _ in range(images)])


class Peer:
    """MMSegmentation's step, timed by a script of its own."""

    def __init__(self, args: argparse.Namespace, *flags: str):
        iterations = 20 if CUDA else 3
        self.command = [
            sys.executable,
            args.peer,
            args.depth,
            args.size,
            args.batch,
            iterations,
            *flags,
        ]
        self.batch = args.batch

    def seconds(self) -> float:
        done = subprocess.run(list(map(str, self.command)), capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        if CUDA and 'cuda' not in done.stdout:
            sys.exit(f'error: {self.command[1]} does not say that it ran on cuda: {done.stdout}')
        return float(done.stdout.split('ms/img')[0].split()[-1]) * self.batch / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--depth', type=int, default=18)
    parser.add_argument('--size', type=int, default=512)
    parser.add_argument('--batch', type=int, default=16 if CUDA else 2)
    parser.add_argument('--rounds', type=int, default=20 if CUDA else 5)
    parser.add_argument(
        '--peer', nargs='?', const=str(ROOT / 'benchmarks/mmseg_step.py'), metavar='SCRIPT'
    )
    parser.add_argument('--no-compile', action='store_true', help='leave compiled steps out')
    args = parser.parse_args()
    init_default_scope('incseg')
    ours_against_plain(args)
    ours_against_peer(args)


def measured_settings(compiled: bool) -> dict[str, Settings]:
    """The steps of the first table: the defaults, then one setting at a time undone."""
    mib = Settings(teacher=True)
    full = replace(mib, bf16=False)
    steps = {'supervised': Settings(), 'MiB': mib}
    if BF16:
        steps |= {'supervised, float32': Settings(bf16=False), 'MiB, float32': full}
    steps |= {
        'MiB, losses not fused': replace(mib, fused_losses=False),
        'MiB, NCHW': replace(mib, channels_last=False),
        'MiB, channels last': replace(mib, channels_last=True),
        'MiB, optimiser not fused': replace(mib, fused_optimizer=False),
        'MiB, int64 labels': replace(mib, small_labels=False),
    }
    if CUDA:
        steps |= {
            'MiB, not pinned': replace(mib, pinned=False),
            'MiB, float32, no TF32': replace(full, tf32=False),
        }
    if CUDA and compiled:
        steps |= {
            'supervised, compiled': Settings(compiled=True),
            'MiB, compiled': replace(mib, compiled=True),
        }
    plain = replace(
        full,
        channels_last=False,
        fused_losses=False,
        fused_optimizer=False,
        tf32=False,
        small_labels=False,
        pinned=False,
    )
    return {**steps, 'supervised, plain': replace(plain, teacher=False), 'MiB, plain': plain}


def ours_against_plain(args: argparse.Namespace) -> None:
    took = interleaved(
        {
            name: Iteration(args, settings)
            for name, settings in measured_settings(not args.no_compile).items()
        },
        args.rounds,
    )
    rows, costs = [], {}
    for name, seconds in took.items():
        supervised = took.get(name.replace('MiB', 'supervised'))
        if 'MiB' in name and supervised is not None:
            costs[name] = seconds / supervised
        rows.append(
            [
                name,
                f'{1000 * seconds / args.batch:.1f}',
                f'{args.batch / seconds:.1f}',
                times(seconds / took['MiB' if 'MiB' in name else 'supervised']),
                times(costs[name]) if name in costs else '',
            ]
        )
    report(
        f'Training steps of BiSeNet-R{args.depth}, {args.size} pixels, batch {args.batch}',
        ('step', 'ms/image', 'images/s', 'time of the default', 'of supervised'),
        rows,
    )
    if CUDA:  # the target is a GPU's
        for name, cost in costs.items():
            if 'plain' not in name:
                target(
                    f'R{args.depth}, {name} step against a supervised one',
                    cost,
                    at_most=INCREMENTAL,
                )


def ours_against_peer(args: argparse.Namespace) -> None:
    width = 'narrow' if args.depth == 18 else 'wide'  # as MMSegmentation's
    layout = 'channels last, width'
    settings = {
        f'equal settings: float32{", TF32" if CUDA else ""}, {layout}': (
            Settings(bf16=False, channels_last=True, width=width),
            ['--channels-last', '--tf32'],
            EQUAL,
        )
    }
    if BF16:
        settings[f'equal settings: bf16, {layout}'] = (
            Settings(bf16=True, channels_last=True, width=width),
            ['--channels-last', '--bf16', '--tf32'],
            EQUAL,
        )
    settings['each at its defaults'] = (Settings(), [], DEFAULTS)
    gains: dict[str, float | None] = dict.fromkeys(settings)
    if args.peer:
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in settings}
        ours = {name: Iteration(args, ours) for name, (ours, _, _) in settings.items()}
        for _ in range(3):
            for name, (_, flags, _) in settings.items():
                took[name].append(
                    (interleaved({'': ours[name]}, 3)[''], Peer(args, *flags).seconds())
                )
        rows = []
        for name, pairs in took.items():
            gain = statistics.median(theirs / ours for ours, theirs in pairs)
            gains[name] = gain
            rows.append(
                [
                    name,
                    *(f'{args.batch / statistics.median(side):.2f}' for side in zip(*pairs)),
                    times(gain),
                ]
            )
        report(
            f'Against MMSegmentation: BiSeNet-R{args.depth}, {args.size} pixels, '
            f'batch {args.batch}',
            ('supervised step', 'ours, images/s', 'theirs, images/s', 'gain'),
            rows,
        )
    for name, (_, _, bound) in settings.items():
        if bound is not None:
            target(
                f'R{args.depth} against MMSegmentation, {name}',
                gains[name],
                at_least=bound,
                because='--peer was not given',
                asked=bool(args.peer),
            )


if __name__ == '__main__':
    main()
