"""How often an iteration of each method waits for the GPU, between two lines of the log.

    PYTHONPATH=benchmarks:. python -m on_gpu.waits FOLDER [--toy] [--methods mib …]

Counts the warnings of ``torch.cuda.set_sync_debug_mode`` in the later iterations of step 1.
Without a GPU every method is trained and nothing is counted.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any

import torch
from side_by_side import CUDA, report, target

from on_gpu.trainings import Watch, leaves, train

#: the iteration of step 1 from which waits count: before it memory, kernels and workers begin
FROM = 2


class Counter:
    """Counts the waits of each iteration, and remembers where they were."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.places: dict[str, int] = {}
        self._caught: Any = None

    def begin(self, runner: Any, iteration: int) -> None:
        if 'step_1' not in str(runner.work_dir) or iteration < FROM:
            return
        self._caught = warnings.catch_warnings(record=True)
        self._list = self._caught.__enter__()
        warnings.simplefilter('always')
        if CUDA:
            torch.cuda.set_sync_debug_mode('warn')

    def end(self, runner: Any, iteration: int) -> None:
        if self._caught is None:
            return
        if CUDA:
            torch.cuda.set_sync_debug_mode('default')
        self._caught.__exit__(None, None, None)
        self._caught = None
        waits = [each for each in self._list if 'synchroniz' in str(each.message)]
        self.counts.append(len(waits))
        for each in waits:
            place = f'{Path(each.filename).name}:{each.lineno}'
            self.places[place] = self.places.get(place, 0) + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--toy', action='store_true')
    known, rows, most = leaves(), [], {}
    # joint has one step; the methods on image labels train as those on masks do
    several = [name for name in known if not name.endswith(('joint', '_s'))]
    parser.add_argument('--methods', nargs='+', choices=known, default=several)
    args = parser.parse_args()
    for method in args.methods:
        counter = Counter()
        Watch.before, Watch.after = counter.begin, counter.end
        short = dict(steps=[0, 1])
        train(known[method], args.folder / f'waits_{method}', args.toy, {}, **short)
        often = sorted(counter.places.items(), key=lambda place: -place[1])[:3]
        most[method] = max(counter.counts, default=None)
        places = ', '.join(f'{place} ({count})' for place, count in often)
        rows.append([method, len(counter.counts), most[method], places])
        print(rows[-1], flush=True)
    report('Waits for the GPU', ('method', 'iterations', 'waits in one, at most', 'where'), rows)
    for method, count in most.items():
        target(
            f'{method}, waits of an iteration',
            count if CUDA else None,
            at_most=0,
            unit='',
            because='there is no GPU' if not CUDA else 'step 1 has too few iterations',
        )


if __name__ == '__main__':
    main()
