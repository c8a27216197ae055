"""What the benchmarks share: interleaved timings, memory of a fresh process, tables, targets."""

import os
import platform
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from terminaltables import AsciiTable

#: what became of a target or a part for which an option was left out
NOT_ASKED = 'not asked for'
CUDA = torch.cuda.is_available()
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the checkout, installed or not


def interleaved(functions: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Median seconds of each function; all take turns, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            synchronise()
            start = time.perf_counter()
            function()
            synchronise()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_above(function: Callable[[], object]) -> float:
    """MB of memory a call needs at its peak above what is there already.

    On a CPU (Linux) memory that was freed but not given back counts as there:
    use a fresh process, see :func:`in_fresh_process`.
    """
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    Path('/proc/self/clear_refs').write_text('5')  # forget the peak so far
    at_start = peak()
    function()
    return peak() - at_start


def peak() -> float:
    """MB of memory the process held at most; unlike getrusage's, not its parent's."""
    status = Path('/proc/self/status').read_text()
    return int(status.split('VmHWM:')[1].split()[0]) / 1024


def in_fresh_process(*arguments: object) -> float:
    """The number that this script prints last when it is called with other arguments."""
    done = subprocess.run(
        [sys.executable, sys.argv[0], *map(str, arguments)], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout.split()[-1])


def report(title: str, head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print the machine and a table."""
    print(f'{title}\n{machine()}', flush=True)
    print(
        AsciiTable([list(head), *([str(cell) for cell in row] for row in rows)]).table, flush=True
    )


def machine() -> str:
    """The machine in a line: processor or GPU, cores, versions."""
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
    else:
        info = Path('/proc/cpuinfo')
        lines = info.read_text().splitlines() if info.is_file() else []
        name = next(
            (line.split(':')[1].strip() for line in lines if line.startswith('model name')),
            platform.processor(),
        )
        name += (
            ' with AMX'
            if torch.cpu._is_amx_tile_supported()
            else ' with AVX512_BF16'
            if torch.cpu._is_avx512_bf16_supported()
            else ' without bfloat16 instructions'
        )
    return (
        f'{name}, {os.cpu_count()} cores, torch {torch.__version__} '
        f'with {torch.get_num_threads()} threads'
    )


def one_by_one(names: Iterable[str], call: Callable[[str], object]) -> None:
    """Call with each name; an error is shown, and ends the program after the other names."""
    failed = []
    for name in names:
        try:
            call(name)
        except Exception:
            print(traceback.format_exc(), flush=True)
            failed.append(name)
    if failed:
        sys.exit(f'FAILED: {", ".join(failed)}')


def ms(seconds: float) -> str:
    return f'{1000 * seconds:.1f} ms'


def times(ratio: float) -> str:
    return f'{ratio:.2f}x'


def target(
    name: str,
    value: float | None,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    unit: str = 'x',
    because: str = '',
    asked: bool = True,
) -> None:
    """Print one of the project's targets as a line, ``target: …``, that ends in what became of it.

    Args:
        name: What is judged.
        value: What was measured; None if nothing was.
        at_least, at_most: The target, one of them.
        unit: Of value and target.
        because: Why nothing was measured.
        asked: False if nothing was measured because an option was left out.
    """
    least = at_least is not None
    bound = at_least if at_least is not None else at_most
    assert bound is not None, 'a target has a bound'
    wanted = f'{"at least" if least else "at most"} {bound:g}{unit}'
    if value is None:
        verdict = 'not measured' if asked else NOT_ASKED
        print(f'target: {name}: {wanted}: {verdict}, {because}', flush=True)
        return
    met = value >= bound if least else value <= bound
    verdict = 'met' if met else 'NOT MET'
    print(f'target: {name}: {value:.4g}{unit}, {wanted}: {verdict}', flush=True)
