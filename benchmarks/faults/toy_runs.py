"""Toy trainings in processes of their own, which are forked so that they start at once."""

import hashlib
import json
import os
import pickle
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from incseg.apis import load_config
from incseg.engine import train_protocol
from incseg.errors import UserError
from incseg.models import BaseBackbone
from incseg.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
#: leaves of ``configs/`` by method, with what their toy size needs
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    'mib': ('4-1', {}),
    'ewf': ('4-1', {}),
    'rw': ('4-1', {'method.hooks.rw.interval': 2}),
    'replay': ('4-1', {}),
    'plop': ('4-1', {}),
    'wilson': ('4-2', {'warmup_epochs': 1}),
    'mib_s': (
        '4-2',
        {
            'seam.schedule.epochs': 2,
            'seam.schedule.batch_size': 8,
            'seam.schedule.log_interval': 100,
            'seam.schedule.checkpoint_interval': 2,
        },
    ),
}


@MODELS.register_module()
class ToyStages(BaseBackbone):
    """Three small stages at strides 2, 4 and 8."""

    out_channels = stage_channels = (8, 12, 16)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after))
            for before, after in ((3, 8), (8, 12), (12, 16))
        )

    def forward_stages(self, x: torch.Tensor) -> Any:
        """Return the activated maps and the stages before the activation."""
        stages = []
        for layer in self.layers:
            stages.append(layer(x))
            x = stages[-1].relu()
        return tuple(stage.relu() for stage in stages), tuple(stages)


def toy_config(method: str, folder: Path, **options: Any) -> Any:
    """Return the config of a method at toy size; shared folders lie in ``folder``."""
    protocol, own = METHODS.get(method, ('4-1', {}))
    return load_config(
        CONFIGS / method / f'bisenet_r18_shapes_{protocol}.py',
        {
            'data.train.length': 32,
            'data.test.length': 6,
            'data.train.size': 32,
            'data.test.size': 32,
            'batch_size': 4,
            'epochs': 2,
            'num_workers': 0,
            'schedule.log_interval': 100,
            'schedule.checkpoint_interval': 2,
            'model.backbone': dict(type='ToyStages'),
            'model.auxiliary_head': None,
            'base_steps_dir': str(folder / 'base_steps'),
            'seam_dir': str(folder / 'seam'),
            **own,
            **options,
        },
    )


class Child:
    """A process that calls a function; its output goes to a file.

    Args:
        work: The function.
        log: The file.
    """

    def __init__(self, work: Callable[[], Any], log: Path):
        self.log, self.start = log, time.monotonic()
        sys.stdout.flush(), sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # one thread runs here
            self.pid = os.fork()
        if self.pid == 0:
            self._work(work)

    def _work(self, work: Callable[[], Any]) -> None:
        status = 0
        try:
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1), os.dup2(log, 2)
            try:
                work()
            except UserError as error:
                print(f'error: {error}', flush=True)
                status = 1
            except BaseException:
                traceback.print_exc()
                status = 2
            sys.stdout.flush(), sys.stderr.flush()
        finally:
            os._exit(status)

    def kill(self) -> None:
        """End the process with SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Return the exit status: 0, 1 for a refusal in one line, 2 for a traceback, -9 killed."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.seconds = time.monotonic() - self.start
        return status

    def said(self) -> str:
        """Return the last line of the output."""
        lines = self.log.read_text(errors='replace').strip().splitlines()
        return lines[-1] if lines else ''


def in_child(work: Callable[[], Any], log: Path) -> tuple[int, str]:
    """Call a function in a process of its own; returns its exit status and last line."""
    child = Child(work, log)
    return child.wait(), child.said()


def train(method: str, folder: Path, **options: Any) -> Callable[[], Any]:
    """Return the function that trains a method in a folder, or goes on with it there."""
    return lambda: train_protocol(
        toy_config(method, folder, **options), folder / 'run', resume=True
    )


def outcome(folder: Path) -> dict[str, Any]:
    """Return all that a run ends with: its ledger without times, and the bits of its networks."""
    ledger = json.loads((folder / 'run/results.json').read_text())
    steps = [{**entry, 'seconds': 0, 'reused_from': ''} for entry in ledger['steps']]
    networks = {
        path.parent.name: tensors_digest(torch.load(path, weights_only=True)['state_dict'])
        for path in sorted((folder / 'run').glob('step_*/final.pth'))
    }
    for entry in steps:
        for labels in entry.get('pseudo_labels', []):
            labels.pop('ckpt_sha', None)  # of a file with times in it
    return dict(steps=steps, networks=networks)


def tensors_digest(state: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of a network's weights."""
    plain = {name: value.numpy().tobytes() for name, value in sorted(state.items())}
    return hashlib.sha256(pickle.dumps(plain, protocol=4)).hexdigest()
