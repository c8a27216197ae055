"""The Shapes job: its scores are those of its ledger in ``docs/results``, up to three points.

PYTHONPATH=benchmarks:. python -m on_gpu.shapes FOLDER [--toy]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from side_by_side import ROOT, target

from on_gpu.parts import SHAPES, TINY_SHAPES, train

LEDGER = ROOT / 'docs/results/shapes/mib_4-1.json'
#: points of mIoU; a GPU rounds differently, so its networks are others
NEAR = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--toy', action='store_true')
    args = parser.parse_args()
    command = train(SHAPES, str(args.folder), *(TINY_SHAPES if args.toy else ()))
    done = subprocess.run([sys.executable, *command])
    if done.returncode:
        sys.exit(done.returncode)
    known = miou(LEDGER)
    found = [None] * len(known) if args.toy else miou(args.folder / 'results.json')
    for k, (one, other) in enumerate(zip(found, known, strict=True)):
        target(
            f'Shapes, step {k}, mIoU differs from the ledger by',
            None if one is None else abs(one - other),
            at_most=NEAR,
            unit=' points',
            because='toy size',
        )


def miou(ledger: Path) -> list[float]:
    """The mIoU of all classes after each step."""
    return [step['plop']['all'] for step in json.loads(ledger.read_text())['steps']]


if __name__ == '__main__':
    main()
