"""Every target that needs a GPU, in one command: the tests marked ``cuda``, then the benchmarks.

    python benchmarks/gpu.py [--peer SCRIPT]

Prints each benchmark's table, and at the end every target as met or not.  Takes about ten minutes
on an H100.  ``--peer``: see ``benchmarks/training.py``.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--peer', metavar='SCRIPT')
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit('error: there is no GPU')
    peer = ['--peer', args.peer] if args.peer else []
    commands = [
        ['-m', 'pytest', '-q', '-n0', '-m', 'cuda', str(HERE.parent / 'tests')],
        [str(HERE / 'losses.py')],
        [str(HERE / 'training.py'), '--depth', '18', *peer],
        [str(HERE / 'training.py'), '--depth', '101', '--batch', '8', *peer],
        [str(HERE / 'inference.py')],
        [str(HERE / 'evaluation.py')],
        [str(HERE / 'data.py'), *(['--peer'] if args.peer else [])],
        [str(HERE / 'loader.py')],
        [str(HERE / 'growth.py'), '--steps', '20']]
    verdicts = []
    for command in commands:
        title = ' '.join(command).replace(f'{HERE.parent}/', '')
        print(f'== {title}', flush=True)
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
        print(done.stdout + (done.stderr if done.returncode else ''), flush=True)
        if done.returncode:
            verdicts.append(f'FAILED   {title}')
        for line in done.stdout.splitlines():
            for verdict in re.findall(r'\S+ \((?:met|NOT MET): [^)]*\)', line):
                verdicts.append(f'{title}: {line.split("|")[1].strip() if "|" in line else ""} '
                                f'{verdict}')
    print('== targets', *verdicts, sep='\n')


if __name__ == '__main__':
    main()
