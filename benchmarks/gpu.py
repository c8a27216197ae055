"""What needs a GPU, in the minutes for which one is at hand: correctness first, then speed.

    python benchmarks/gpu.py --minutes 8 [--voc VOC2012] [--out DIR] [--peer] [--all]

The tests need ``pip install -e ".[tests]"`` (pytest, pytest-xdist, hypothesis); the kernel needs a
C compiler; the part ``voc`` needs a folder as VOC's.

Runs, in order: versions and imports; side by side the tests marked ``cuda``, one step on the CPU
and on the GPU, a repeated and a resumed run; waits per iteration of every method; losses at batch
24; the Shapes job; three steps of rendered VOC 15-1 at 512 pixels with R101 (``--voc``, a folder
that a renderer of VOC's shape made); a training step without compilation; evaluation; inference;
the dense CRF of a flat picture.  Every part has a limit, and none begins when the minutes are over.

``--all`` runs the rest too: compilation, R101, trained networks, data, pseudo-labels, growth.
Without ``--minutes`` there is no end.  ``--peer`` needs MMSegmentation, see
``benchmarks/mmseg_step.py``.  ``--only NAME …`` runs some parts.

Each result is printed and added to ``DIR/results.jsonl`` as it comes.  The output of each part is
kept beside it, also that of a part which was cut off.  A table at the end names all parts and those
that did not run.  It calls every target met, not met, not measured or not asked for (an option was
left out).  The exit status is 0 if everything asked for ran in time and met its targets.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from on_gpu.parts import Part, more_parts, parts
from on_gpu.schedule import Schedule
from side_by_side import NOT_ASKED
from terminaltables import AsciiTable


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, help='time for everything; default: no end')
    parser.add_argument('--voc', metavar='VOC2012', help='rendered VOC at 512 pixels')
    parser.add_argument('--out', type=Path, default=Path('gpu_results'))
    parser.add_argument('--peer', action='store_true')
    parser.add_argument('--all', action='store_true', help='also the rest')
    parser.add_argument('--only', nargs='+', metavar='NAME')
    parser.add_argument('--device', choices=['cuda', 'cpu'], default='cuda', help=argparse.SUPPRESS)
    parser.add_argument('--toy', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.device == 'cuda' and not torch.cuda.is_available():
        sys.exit('error: there is no GPU')
    with tempfile.TemporaryDirectory() as folder:
        chosen = parts(folder, args.voc, args.peer)
        chosen += more_parts(folder, args.peer) if args.all else []
        environment = dict(CUDA_VISIBLE_DEVICES='') if args.device == 'cpu' else {}
        seconds = None if args.minutes is None else 60 * args.minutes
        schedule = Schedule(args.out, seconds, args.toy, environment)
        results = schedule.run(named(chosen, args.only))
    print(summary(results))
    return exit_status(results)


def named(chosen: Sequence[Part], names: Sequence[str] | None) -> list[Part]:
    """The parts of these names, all for None; a name that no part has ends the program."""
    known = [part.name for part in chosen]
    for name in names or ():
        if name not in known:
            sys.exit(f'error: --only is {name!r}, expected one of {", ".join(known)}')
    return [part for part in chosen if names is None or part.name in names]


def summary(results: Sequence[dict[str, Any]]) -> str:
    """The table of all parts, then the targets."""
    rows = [['part', 'result', 'seconds', '']]
    for result in results:
        missed = sum(not is_settled(line) for line in result['targets'])
        because = result.get('because', f'{missed} targets not met' if missed else '')
        rows.append([result['part'], result['status'], f'{result["seconds"]:.0f}', because])
    targets = [line for result in results for line in result['targets']]
    return '\n'.join([AsciiTable(rows).table, '== targets', *targets])


def exit_status(results: Sequence[dict[str, Any]]) -> int:
    """0 if every part was done and every target is met, but for what was not asked for."""
    met = all(is_settled(line) for result in results for line in result['targets'])
    return int(not met or any(result['status'] not in ('done', NOT_ASKED) for result in results))


def is_settled(line: str) -> bool:
    """Whether a target is met or was not asked for; one that was not measured is not."""
    return line.endswith(': met') or f': {NOT_ASKED}, ' in line


if __name__ == '__main__':
    sys.exit(main())
