"""Every target that needs a GPU, in one command: the tests marked ``cuda``, then the benchmarks.

    python benchmarks/gpu.py [--peer]

Prints each script's tables, and at the end every target as met, not met or not measured; the exit
status is 0 only if no command failed and every target is met.  An estimated twenty minutes on an
H100.  ``--peer`` needs MMSegmentation, see ``benchmarks/mmseg_step.py``.  Networks for comparing
predictions, R18 and R101, are trained on the rendered Shapes first.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SHAPES = str(ROOT / 'configs/mib/bisenet_r18_shapes_4-1.py')


def commands(folder: str, peer: bool) -> list[list[str]]:
    """What is run, in order, without the interpreter."""
    with_peer = ['--peer'] if peer else []

    def script(name: str, *arguments: str) -> list[str]:
        return [str(HERE / name), *arguments]

    return [
        ['-m', 'pytest', '-q', '-n0', '-m', 'cuda', str(ROOT / 'tests')],
        script('losses.py', '--batch', '4', '8', '24'),
        script('training.py', '--depth', '18', *with_peer),
        script('training.py', '--depth', '101', '--batch', '8', *with_peer),
        [str(ROOT / 'tools/train.py'), SHAPES, '--work-dir', f'{folder}/r18'],
        script(
            'inference.py',
            '--compile',
            '--images',
            '50',
            '--config',
            SHAPES,
            '--checkpoint',
            f'{folder}/r18/step_2/final.pth',
        ),
        [
            str(ROOT / 'tools/train.py'),
            SHAPES,
            '--work-dir',
            f'{folder}/r101',
            '--cfg-options',
            'model.backbone.depth=101',
        ],
        script(
            'inference.py',
            '--compile',
            '--images',
            '50',
            '--config',
            SHAPES,
            '--checkpoint',
            f'{folder}/r101/step_2/final.pth',
            '--cfg-options',
            'model.backbone.depth=101',
        ),
        script('evaluation.py'),
        script('data.py', *with_peer),
        script('loader.py'),
        script('pseudo_labels.py'),
        script('growth.py', '--steps', '20'),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--peer', action='store_true')
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit('error: there is no GPU')
    targets, failed = [], []
    with tempfile.TemporaryDirectory() as folder:
        for command in commands(folder, args.peer):
            title = ' '.join(command).replace(f'{ROOT}/', '')
            print(f'== {title}', flush=True)
            done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
            print(done.stdout + (done.stderr if done.returncode else ''), flush=True)
            if done.returncode:
                failed.append(f'FAILED: {title}')
            targets += [line for line in done.stdout.splitlines() if line.startswith('target: ')]
    print('== targets', *targets, *failed, sep='\n')
    return exit_status(targets, failed)


def exit_status(targets: list[str], failed: list[str]) -> int:
    """0 if no command failed and every target is met; one that was not measured is not."""
    return int(bool(failed) or not all(line.endswith(': met') for line in targets))


if __name__ == '__main__':
    sys.exit(main())
