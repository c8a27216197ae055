"""How often an iteration of each method waits for the GPU, between two lines of the log.

    PYTHONPATH=benchmarks:. python -m on_gpu.waits FOLDER [--toy] [--methods mib …]

Counts the warnings of ``torch.cuda.set_sync_debug_mode`` in the later iterations of step 1, each
from its predecessor's last hook to its own; the last one has a line in the log and does not count.
Without a GPU every method is trained and nothing is counted.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any

import torch
from side_by_side import CUDA, one_by_one, report, target

from on_gpu.trainings import Watch, leaves, train

#: the iteration of step 1 from which waits count: before it memory, kernels and workers begin
FROM = 2
#: how torch warns of a wait
WAIT = 'called a synchronizing CUDA operation'


class Counter:
    """Counts the waits of each iteration, and remembers where they were."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.places: dict[str, int] = {}
        self._caught: Any = None

    def after(self, runner: Any, iteration: int) -> None:
        """Note the waits since the last call; to be called after all other hooks."""
        if 'step_1' not in str(runner.work_dir):
            return
        self._note()
        if FROM - 1 <= iteration < runner.max_iters - 2:
            self._caught = warnings.catch_warnings(record=True)
            self._list = self._caught.__enter__()
            warnings.simplefilter('always')
            if CUDA:
                torch.cuda.set_sync_debug_mode('warn')

    def close(self) -> None:
        """Count no more, also after an error."""
        if self._caught is not None:
            if CUDA:
                torch.cuda.set_sync_debug_mode('default')
            self._caught.__exit__(None, None, None)
        self._caught = None

    def _note(self) -> None:
        if self._caught is None:
            return
        self.close()
        waits = [each for each in self._list if WAIT in str(each.message)]
        self.counts.append(len(waits))
        for each in waits:
            place = f'{Path(each.filename).name}:{each.lineno}'
            self.places[place] = self.places.get(place, 0) + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--toy', action='store_true')
    known, rows = leaves(), []
    # joint has one step; the methods on image labels train as those on masks do
    several = [name for name in known if not name.endswith(('joint', '_s'))]
    parser.add_argument('--methods', nargs='+', choices=known, default=several)
    args = parser.parse_args()

    def count(method: str) -> None:
        counter = Counter()
        Watch.after = counter.after
        try:
            how: dict[str, Any] = dict(steps=[0, 1])
            train(known[method], args.folder / f'waits_{method}', args.toy, {}, **how)
        finally:
            counter.close()
        often = sorted(counter.places.items(), key=lambda place: -place[1])[:3]
        most = max(counter.counts, default=None)
        places = ', '.join(f'{place} ({count})' for place, count in often)
        rows.append([method, len(counter.counts), most, places])
        print(rows[-1], flush=True)
        target(
            f'{method}, waits of an iteration',
            most if CUDA else None,
            at_most=0,
            unit='',
            because='there is no GPU' if not CUDA else 'step 1 has too few iterations',
        )

    try:
        one_by_one(args.methods, count)
    finally:
        report(
            'Waits for the GPU', ('method', 'iterations', 'waits in one, at most', 'where'), rows
        )


if __name__ == '__main__':
    main()
