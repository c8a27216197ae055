"""A run, the same again, and one that is interrupted and resumed: the same bits.

    PYTHONPATH=benchmarks:. python -m on_gpu.repeated FOLDER [--toy]

With ``schedule.deterministic=True`` where the library has it: without it a GPU promises no equal
bits.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from side_by_side import target

from incseg.apis.config.schema import SETTINGS
from incseg.engine.checkpoint import read_step_checkpoint
from on_gpu.trainings import Watch, leaves, train


class Stop(BaseException):
    """The interruption."""


def stop(runner: Any, iteration: int) -> None:
    """End a training in its second step, after the state of an iteration was saved."""
    if 'step_1' in str(runner.work_dir) and iteration == 1:
        raise Stop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--toy', action='store_true')
    args = parser.parse_args()
    options: dict[str, Any] = {'protocol.name': '5-1', 'data.train.length': 32}
    if 'schedule.deterministic' in SETTINGS:
        options['schedule.deterministic'] = True

    def run(name: str, every: int = 1000, **how: Any) -> Path:
        own = {**options, 'schedule.checkpoint_interval': every}
        train(leaves()['mib'], args.folder / name, args.toy, own, reuse=False, **how)
        return args.folder / name

    def compare(name: str, other: Path) -> None:
        different = sum(differ(first, other, k) for k in range(2))
        target(f'{name} run, tensors that differ', different, at_most=0, unit='')

    first = run('first')
    compare('repeated', run('again'))
    Watch.before = stop
    try:
        run('resumed', every=1)
    except Stop:
        print('interrupted in step 1, iteration 1')
    else:
        sys.exit('error: the run was too short to be interrupted')
    Watch.before = None
    compare('resumed', run('resumed', every=1, resume=True))


def differ(one: Path, other: Path, k: int) -> int:
    """How many tensors of a step's network differ in a bit."""
    states = [
        read_step_checkpoint(run / f'step_{k}/final.pth')['state_dict'] for run in (one, other)
    ]
    return sum(not torch.equal(value, states[1][name]) for name, value in states[0].items())


if __name__ == '__main__':
    main()
