"""Runs parts one after another, or side by side, within the minutes that are left."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import Any

from side_by_side import NOT_ASKED

from on_gpu.parts import BENCHMARKS, ROOT, Part

#: seconds below which a part is not begun, and those that a part gets to end by itself
LEAST, GRACE = 15.0, 5.0
#: limits at toy size are so many times as long: it is tried beside other work
TOY = 10


class Schedule:
    """Runs parts and writes what became of each as it comes.

    Args:
        out: Folder of ``results.jsonl``, a line for the start and one a part, after those of
            earlier calls, and of each part's whole output.
        seconds: Time for all parts; None for no end.
        toy: Whether to run the commands of toy size.
        environment: Variables of the commands.
    """

    def __init__(
        self,
        out: Path,
        seconds: float | None = None,
        toy: bool = False,
        environment: Mapping[str, str] | None = None,
    ):
        self.out, self.toy = out, toy
        path = [str(BENCHMARKS), str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
        known = {**os.environ, 'PYTHONPATH': os.pathsep.join(path)}
        known['PYTHONUNBUFFERED'] = '1'  # or what a part printed is lost with it at its limit
        self.environment = {**known, **(environment or {})}
        self.end = None if seconds is None else time.monotonic() + seconds
        self.results: list[dict[str, Any]] = []
        out.mkdir(parents=True, exist_ok=True)
        now = datetime.now(timezone.utc).isoformat(timespec='seconds')
        self._add(dict(started=now, seconds=seconds))

    def run(self, parts: Sequence[Part]) -> list[dict[str, Any]]:
        """Run the parts in order and return their results."""
        for group in side_by_side(parts):
            kept = sum(part.kept for part in parts[parts.index(group[-1]) + 1 :])
            with ThreadPoolExecutor(len(group)) as pool:
                for done in as_completed(pool.submit(self._one, part, kept) for part in group):
                    self._write(done.result())
        return self.results

    def _left(self) -> float:
        return float('inf') if self.end is None else self.end - time.monotonic()

    def _one(self, part: Part, kept: float) -> dict[str, Any]:
        result: dict[str, Any] = dict(part=part.name, status='not run', seconds=0.0, targets=[])
        if part.missing:
            return dict(result, status=NOT_ASKED, because=part.missing)
        own = part.limit * (TOY if self.toy else 1)
        limit = min(own, self._left() - GRACE - kept)
        if limit < min(LEAST, own):
            return dict(result, because='no time was left')
        command = part.command if part.toy is None or not self.toy else part.toy
        file = self.out / f'{part.name.replace(" ", "_").replace(",", "")}.txt'
        print(f'== {part.name}: {shown(command)}', flush=True)
        start = time.monotonic()
        with file.open('w') as output:
            status = run_limited([sys.executable, *command], limit, output, self.environment)
        seconds = round(time.monotonic() - start, 1)
        text = file.read_text(errors='replace')
        targets = [line for line in text.splitlines() if line.startswith('target: ')]
        result |= dict(status='done', seconds=seconds, targets=targets, output=file.name)
        if status is None:
            result |= dict(status='too long', because=f'its limit was {limit:.0f} s')
        elif status:
            result |= dict(status='FAILED', because=f'exit status {status}')
        return result

    def _write(self, result: dict[str, Any]) -> None:
        self.results.append(result)
        self._add(result)
        if 'output' in result:
            print((self.out / result['output']).read_text(errors='replace').rstrip())
        because = f', {result["because"]}' if 'because' in result else ''
        print(f'-- {result["part"]}: {result["status"]}{because}', flush=True)

    def _add(self, line: dict[str, Any]) -> None:
        with (self.out / 'results.jsonl').open('a') as file:
            file.write(json.dumps(line) + '\n')


def side_by_side(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Yield the parts in groups that run at the same time."""
    numbered = [(0 if part.beside else number, part) for number, part in enumerate(parts, 1)]
    for _, group in groupby(numbered, key=lambda pair: pair[0]):
        yield [part for _, part in group]


def run_limited(
    command: Sequence[str], limit: float, output: Any, environment: Mapping[str, str]
) -> int | None:
    """Run a command; return its exit status, or None if it was ended at its limit.

    Its children end with it.

    Args:
        command: The command.
        limit: Seconds.
        output: File of its output.
        environment: Its variables.
    """
    process = subprocess.Popen(
        command,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def shown(command: Sequence[str]) -> str:
    """A command as a reader repeats it, from the checkout."""
    return ' '.join(['python', *(word.replace(f'{ROOT}/', '') for word in command)])
