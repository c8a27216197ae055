"""One training step: what incremental learning adds, what each choice gives, and MMSegmentation's.

    python benchmarks/training.py [--depth 18] [--size 512] [--batch 2] [--peer SCRIPT]

``--peer`` names a script that times MMSegmentation's BiSeNetV1; it is called as ``SCRIPT DEPTH SIZE
BATCH ITERATIONS [--channels-last] [--bf16]``, in turns with ours, and ends with ``… N ms/img``.
"""
import argparse
import statistics
import subprocess
import sys
from typing import Any

import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from side_by_side import CUDA, ROOT, interleaved, report, synchronise, times

from incseg.apis.config import load_config
from incseg.engine.bfloat16 import computes_in_bfloat16
from incseg.engine.experiment import Experiment
from incseg.engine.optim_wrapper import StepOptimWrapper
from incseg.engine.step_config import model_config, optimizer_config
from incseg.models.data_preprocessor import SegDataPreProcessor
from incseg.registry import MODELS
from incseg.structures import SegDataSample

STEP = 5  # of VOC 15-1: 20 old outputs, 1 new
BF16 = computes_in_bfloat16(torch.device('cuda' if CUDA else 'cpu'))
INCREMENTAL = 1.34  # a teacher's forward pass on top of three units of arithmetic


class Iteration:
    """A network, its optimiser and a batch; calling it trains one iteration.

    Args:
        args: Depth, size and batch.
        teacher: Whether it is MiB's incremental step, else plain cross-entropy.
        fused: Whether the losses are fused.
        amp: Whether it runs under bfloat16 autocast.
        channels_last: The memory format.
        width: ``'narrow'`` or ``'wide'``.
        compiled: Whether the networks are compiled.
    """

    def __init__(self, args: argparse.Namespace, teacher: bool = False, fused: bool = True,
                 amp: bool = False, channels_last: bool = True, width: str = 'narrow',
                 compiled: bool = False):
        torch.manual_seed(0)
        config = load_config(
            ROOT / 'configs/mib/bisenet_r101_15-1.py',
            {'pretrained': False, 'model.backbone.depth': args.depth, 'width': width})
        settings = model_config(Experiment(config), STEP, init=False)
        settings['channels_last'] = channels_last
        for head in (settings['decode_head'], *settings['auxiliary_head'].values()):
            name = 'UnbiasedCrossEntropyLoss' if teacher else 'CrossEntropyLoss'
            head['loss_decode'] = dict(type=name, fused=fused)
        settings['distillation'] = {} if not teacher else dict(
            logits=dict(settings['distillation']['logits'], fused=fused))
        device = 'cuda' if CUDA else 'cpu'
        self.model = MODELS.build(settings).to(device).train()
        if teacher:
            smaller = dict(settings, outputs_per_step=settings['outputs_per_step'][:-1])
            self.model.set_teacher(MODELS.build(smaller).to(device))
        if compiled:
            networks = [self.model, *([self.model.teacher] if teacher else [])]
            for network in networks:
                for part in (network.backbone, *network.heads.values()):
                    part.compile()
        optimizer = optimizer_config(dict(config.schedule.optimizer), 1e-3)
        kind = getattr(torch.optim, optimizer.pop('type'))
        self.optimizer = StepOptimWrapper(
            optimizer=kind(self.model.parameters(), **optimizer), amp=amp)
        self.model.data_preprocessor = SegDataPreProcessor().to(device)
        size, images = (args.size, args.size), range(args.batch)
        labels = [torch.randint(0, 21, (1, *size), dtype=torch.uint8) for _ in images]
        self.batch: dict[str, Any] = dict(
            inputs=[torch.randint(0, 255, (3, *size), dtype=torch.uint8) for _ in images],
            data_samples=[SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels])

    def __call__(self) -> None:
        self.model.train_step(
            dict(inputs=list(self.batch['inputs']), data_samples=list(self.batch['data_samples'])),
            self.optimizer)
        synchronise()


class Peer:
    """MMSegmentation's step, timed by a script of its own."""

    def __init__(self, args: argparse.Namespace, *flags: str):
        iterations = 20 if CUDA else 3
        self.command = [sys.executable, args.peer, args.depth, args.size, args.batch, iterations,
                        *flags]
        self.batch = args.batch

    def seconds(self) -> float:
        done = subprocess.run(list(map(str, self.command)), capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        return float(done.stdout.split('ms/img')[0].split()[-1]) * self.batch / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--depth', type=int, default=18)
    parser.add_argument('--size', type=int, default=512)
    parser.add_argument('--batch', type=int, default=16 if CUDA else 2)
    parser.add_argument('--rounds', type=int, default=20 if CUDA else 5)
    parser.add_argument('--peer', metavar='SCRIPT')
    args = parser.parse_args()
    init_default_scope('incseg')
    ours_against_plain(args)
    if args.peer:
        ours_against_peer(args)


def ours_against_plain(args: argparse.Namespace) -> None:
    steps = {
        'supervised': Iteration(args),
        'MiB': Iteration(args, teacher=True),
        'supervised, plain losses': Iteration(args, fused=False),
        'MiB, plain losses': Iteration(args, teacher=True, fused=False),
        'MiB, plain losses, NCHW': Iteration(args, True, fused=False, channels_last=False)}
    if BF16:
        steps['MiB, bf16'] = Iteration(args, teacher=True, amp=True)
        steps['supervised, bf16'] = Iteration(args, amp=True)
    if CUDA:
        steps['MiB, bf16, compiled'] = Iteration(args, teacher=True, amp=True, compiled=True)
        steps['supervised, bf16, compiled'] = Iteration(args, amp=True, compiled=True)
    took = interleaved(dict(steps), args.rounds)
    rows = []
    for name, seconds in took.items():
        supervised = took.get(name.replace('MiB', 'supervised'))
        added = '' if 'MiB' not in name or supervised is None else cost(seconds / supervised, name)
        rows.append([name, f'{1000 * seconds / args.batch:.1f}', f'{args.batch / seconds:.1f}',
                     times(seconds / took['MiB' if 'MiB' in name else 'supervised']), added])
    report(f'Training steps of BiSeNet-R{args.depth}, {args.size} pixels, batch {args.batch}',
           ('step', 'ms/image', 'images/s', 'of the float32 step', 'MiB against supervised'), rows)


def cost(ratio: float, name: str) -> str:
    verdict = '' if 'plain' in name or not CUDA else (  # a GPU's target
        f' ({"met" if ratio <= INCREMENTAL else "NOT MET"}: at most {INCREMENTAL}x)')
    return f'{ratio:.2f}x{verdict}'


def ours_against_peer(args: argparse.Namespace) -> None:
    width = 'narrow' if args.depth == 18 else 'wide'  # as MMSegmentation's
    equal, default = Iteration(args, width=width), Iteration(args, amp=BF16)
    settings = {
        'equal settings (float32, channels_last, width)': (
            equal, Peer(args, '--channels-last'), 1.3 if CUDA else 1.15),
        'each at its defaults': (default, Peer(args), 3. if CUDA else 2. if BF16 else None)}
    if BF16:
        settings['equal settings (bf16, channels_last, width)'] = (
            Iteration(args, width=width, amp=True), Peer(args, '--channels-last', '--bf16'),
            1.3 if CUDA else 1.15)
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in settings}
    for _ in range(3):
        for name, (ours, peer, _target) in settings.items():
            took[name].append((interleaved({'': ours}, 3)[''], peer.seconds()))
    rows = []
    for name, pairs in took.items():
        ours_s, peer_s = (statistics.median(side) for side in zip(*pairs))
        rows.append([name, f'{args.batch / ours_s:.2f}', f'{args.batch / peer_s:.2f}',
                     times(statistics.median(p / o for o, p in pairs), settings[name][2])])
    report(f'Against MMSegmentation: BiSeNet-R{args.depth}, {args.size} pixels, batch {args.batch}',
           ('supervised step', 'ours, images/s', 'theirs, images/s', 'gain'), rows)


if __name__ == '__main__':
    main()
