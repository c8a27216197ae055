"""SIGKILL at any moment, by the clock and inside writes: the run ends as if nothing had been."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.toy_runs import METHODS, Child, in_child, outcome, train

#: where in a write a process may be killed
PLACES = ('half written', 'before the rename', 'after the rename')


def die() -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed_in_write(work: Callable[[], Any], number: int, place: str) -> Callable[[], Any]:
    """Return a function that does some work and is killed in one of its writes.

    Args:
        work: The function.
        number: The number of the write, from 0.
        place: One of :data:`PLACES`.
    """

    def run() -> Any:
        rename, count = os.replace, 0

        def replace(source: Any, target: Any, **options: Any) -> None:
            nonlocal count
            count += 1
            if count == number + 1:
                if place == 'half written':
                    os.truncate(source, os.path.getsize(source) // 2)
                    die()
                if place == 'before the rename':
                    die()
                rename(source, target, **options)
                die()
            rename(source, target, **options)

        os.replace = replace  # type: ignore[assignment]
        return work()

    return run


def writes_of(work: Callable[[], Any], folder: Path) -> int:
    """Return how many files some work renames."""

    def count() -> None:
        rename, calls = os.replace, 0

        def replace(source: Any, target: Any, **options: Any) -> None:
            nonlocal calls
            calls += 1
            rename(source, target, **options)

        os.replace = replace  # type: ignore[assignment]
        work()
        (folder / 'writes').write_text(str(calls))

    status, said = in_child(count, folder / 'log')
    assert status == 0, said
    return int((folder / 'writes').read_text())


def kill_runs(folder: Path, rounds: int, seed: int = 0) -> tuple[list[str], int, int]:
    """Kill trainings of every method, resume each until it ends, and compare.

    Args:
        folder: An empty folder.
        rounds: Runs of each method; each is killed up to four times.
        seed: Decides when.

    Returns:
        A line for each method, the number of kills, and the number of runs that ended otherwise.
    """
    rng, lines, total, bad = random.Random(seed), [], 0, 0
    for method in METHODS:
        straight = folder / method / 'straight'
        straight.mkdir(parents=True)
        writes = writes_of(train(method, straight), straight)
        clock = Child(train(method, folder / method / 'timed'), straight / 'log')
        (folder / method / 'timed').mkdir(exist_ok=True)
        assert clock.wait() == 0, clock.said()
        expected, kills, wrong, inside = outcome(straight), 0, [], 0
        for number in range(rounds):
            run = folder / method / str(number)
            run.mkdir()
            for attempt in range(4):
                if attempt % 2:
                    place = rng.choice(PLACES)
                    work = killed_in_write(train(method, run), rng.randrange(writes), place)
                    status = Child(work, run / 'log').wait()
                    inside += status == -signal.SIGKILL
                else:
                    child = Child(train(method, run), run / 'log')
                    signal.signal(signal.SIGALRM, lambda *_, child=child: child.kill())
                    signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.05, clock.seconds))
                    status = child.wait()
                    signal.setitimer(signal.ITIMER_REAL, 0)
                kills += status == -signal.SIGKILL
                if status > 0:
                    wrong.append((run / 'log').read_text())
                if status == 0:
                    break
            status, said = in_child(train(method, run), run / 'log')
            left = [path for path in run.rglob('*.tmp')]
            if status or outcome(run) != expected or left:
                wrong.append(f'run {number}: {said} {left}')
        total, bad = total + kills, bad + len(wrong)
        lines.append(
            f'{method}: {rounds} runs, {kills} kills ({inside} inside writes), '
            f'{rounds - len(wrong)} of {rounds} end bit-equal'
        )
        lines += wrong
    return lines, total, bad
