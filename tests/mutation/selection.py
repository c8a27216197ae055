"""Which tests run for a mutant: those that run its line, as one run with coverage tells."""

import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

import pytest
from children import OPTIONS, Copy
from operators import Mutant

#: globs of the folders and files of tests that are asked; what a tree has not is left out
TESTS = (
    'tests/common/test_losses.py',
    'tests/test_protocols',
    'tests/test_utils',
    'tests/test_models/test_losses',
    'tests/test_models/test_distillation',
    'tests/test_models/**/test_incremental_segmentor.py',
    'tests/test_models/**/test_exemplar_loss.py',
    'tests/test_models/test_segmentors',
    'tests/test_models/**/test_weak_losses.py',
    'tests/test_models/**/test_soft_targets.py',
    'tests/test_evaluation',
    'tests/test_datasets/**/test_incremental_dataset.py',
    'tests/test_datasets/**/test_replay_dataset.py',
    'tests/test_datasets/**/test_visible_labels.py',
    'tests/test_apis/**/test_config_check.py',
    'tests/test_apis/**/test_config_types.py',
    'tests/test_apis/test_config/test_values.py',
    'tests/test_apis/test_config/test_keys.py',
    'tests/test_engine/**/test_checkpoint*.py',
    'tests/test_engine/**/test_incremental_hook.py',
    'tests/test_engine/**/test_seam_checkpoint.py',
    'tests/test_engine/**/test_seam_store.py',
    'tests/test_datasets/**/test_images_and_labels_of_a_step.py',
    'tests/test_datasets/**/test_rows_of_image_labels.py',
    'tests/test_engine/**/test_start_of_a_step.py',
    'tests/test_engine/test_previous_step.py',
    'tests/test_engine/test_network_changes_structure.py',
)
#: a test that takes longer under coverage is left out, in seconds of processor time
SLOW = 20
#: most tests of a mutant, and most seconds that they take without it
MOST, BUDGET = 100, 30


class Recorder:
    """A pytest plugin: which lines of the code each test runs, and its processor time."""

    def __init__(self, coverage: Any) -> None:
        self.coverage = coverage
        self.seconds: dict[str, float] = {}
        self.bad: dict[str, str] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        forget()
        self.coverage.switch_context(item.nodeid)
        before = sum(os.times()[:4])  # with the processes that it starts
        try:
            return (yield)
        finally:
            self.coverage.switch_context('')
            self.seconds[item.nodeid] = round(sum(os.times()[:4]) - before, 3)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        def too_slow(*_: object) -> None:
            pytest.fail(f'the test takes more than {SLOW} s', pytrace=False)

        before = signal.signal(signal.SIGPROF, too_slow)
        signal.setitimer(signal.ITIMER_PROF, SLOW)  # processor time: others may use the machine
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.outcome != 'passed':
            self.bad[report.nodeid] = report.outcome


def forget() -> None:
    """Empty the caches of functions: what is remembered from an earlier test is not run again."""
    for name, module in list(sys.modules.items()):
        if name.partition('.')[0] == 'incseg':
            for value in list(vars(module).values()):
                clear = getattr(value, 'cache_clear', None)
                if callable(clear):
                    clear()


def record(copy: Copy, modules: Sequence[str], tests: Sequence[str]) -> dict[str, Any]:
    """Run the tests once under coverage; to be called in a child.

    Returns:
        ``durations`` by test, ``bad`` tests (failed or skipped) and ``lines``: module -> line ->
        numbers of the tests, in the order of ``durations``.
    """
    from coverage import Coverage

    coverage = Coverage(
        data_file=None, config_file=False, include=[str(copy.root / name) for name in modules]
    )
    recorder = Recorder(coverage)
    sys.dont_write_bytecode = False  # later children read the copy's bytecode
    here = [str(file) for pattern in tests for file in sorted(copy.root.glob(pattern))]
    coverage.start()
    code = pytest.main([*OPTIONS, f'--basetemp={copy.temporary}', *here], plugins=[recorder])
    coverage.stop()
    number = {name: i for i, name in enumerate(recorder.seconds)}
    data = coverage.get_data()
    lines = {}
    for name in modules:
        contexts = data.contexts_by_lineno(str(copy.root / name))
        lines[name] = {
            str(line): sorted(number[c] for c in found if c in number)
            for line, found in sorted(contexts.items())
        }
    return dict(code=int(code), durations=recorder.seconds, bad=recorder.bad, lines=lines)


class Selection:
    """Chooses the tests of a mutant.

    Args:
        recorded: What :func:`record` returned.
    """

    def __init__(self, recorded: dict[str, Any]) -> None:
        self.seconds = recorded['durations']
        names = list(self.seconds)
        bad = recorded['bad']
        self.good = {name for name in names if name not in bad and self.seconds[name] <= SLOW}
        self.dropped: set[str] = set()
        self.lines: dict[str, dict[int, set[str]]] = {
            module: {int(line): {names[i] for i in found} & self.good for line, found in by.items()}
            for module, by in recorded['lines'].items()
        }

    def tests(self, mutant: Mutant) -> list[str]:
        """Return the ids of the tests that run the mutant's lines, in the order to run them.

        Tests whose path mirrors the module's come first, as far as it does, then one case of each
        test before its others, then the fastest.  For what is evaluated at the import, and for
        lines that no test runs in its own process, these are the tests of the module's own file,
        and those that run any line of it.
        """
        first, last = mutant.lines
        by_line = self.lines.get(mutant.module, {})
        chosen = set().union(*(by_line.get(line, ()) for line in range(first, last + 1)))
        if mutant.at_import or not chosen:
            depth = len(PurePosixPath(mutant.module).parts) - 1
            chosen |= {name for name in self.good if nearness(name, mutant.module) == depth}
            chosen |= set().union(*by_line.values())
        return self._cut(self._ordered(chosen - self.dropped, mutant.module))

    def is_run(self, mutant: Mutant) -> bool:
        """Tell whether any test runs the mutant's lines in its own process."""
        by_line = self.lines.get(mutant.module, {})
        first, last = mutant.lines
        return any(by_line.get(line) for line in range(first, last + 1))

    def limit(self, tests: Iterable[str]) -> float:
        """Return after how many seconds of processor time a child with these tests is killed."""
        return max(20, 10 * sum(self.seconds[name] for name in tests))

    def _ordered(self, names: Iterable[str], module: str) -> list[str]:
        cases: dict[str, list[str]] = defaultdict(list)
        for name in sorted(names, key=lambda name: (self.seconds[name], name)):
            cases[name.partition('[')[0]].append(name)
        turn = {name: i for group in cases.values() for i, name in enumerate(group)}
        return sorted(
            turn, key=lambda name: (-nearness(name, module), turn[name], self.seconds[name], name)
        )

    def _cut(self, names: Sequence[str]) -> list[str]:
        kept: list[str] = []
        total = 0.0
        for name in names[:MOST]:
            if total + self.seconds[name] <= BUDGET:
                total += self.seconds[name]
                kept.append(name)
        return kept


@cache
def nearness(test: str, module: str) -> int:
    """Return how many parts of a test file's path are those of the module's, from the top."""
    file = PurePosixPath(test.partition('::')[0])
    ours = [part.removeprefix('test_') for part in file.with_suffix('').parts[1:]]
    theirs = PurePosixPath(module).with_suffix('').parts[1:]
    same = takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False))
    return len(list(same))


def modules_of(mutants: Iterable[Mutant]) -> list[str]:
    """Return the modules of some mutants."""
    return sorted({mutant.module for mutant in mutants})
