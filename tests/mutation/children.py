"""Tests run in forked children of a process that has imported the heavy libraries once.

The code under test is never imported in the parent.  A child runs in a copy of the tree, so that
the processes that tests start see the same source as the child does.
"""

import gc
import importlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEAVY = (
    'numpy', 'torch', 'torchvision', 'mmengine', 'mmengine.runner', 'mmengine.evaluator',
    'mmengine.dataset', 'mmengine.model', 'mmengine.optim', 'mmengine.hooks', 'mmcv',
    'mmcv.transforms', 'cv2', 'PIL.Image', 'pycocotools.mask', 'pycocotools.coco', 'pytest',
    '_pytest.assertion.rewrite', 'matplotlib.figure', 'matplotlib.backends.backend_agg', 'scipy',
    'terminaltables', 'torch.utils.data', 'torch.distributed', 'torch._dynamo', 'coverage',
    '_pytest.faulthandler', '_pytest.helpconfig', '_pytest.junitxml', '_pytest.pastebin',
    '_pytest.setuponly', '_pytest.setupplan', '_pytest.skipping', '_pytest.threadexception',
    '_pytest.tracemalloc', '_pytest.unittest', '_pytest.unraisableexception', '_pytest.warnings',
    'concurrent.futures.process', 'multiprocessing.queues', 'pdb', 'faulthandler', 'xdist.plugin',
)  # fmt: skip
OPTIONS = (
    '-o', 'addopts=--import-mode=importlib --strict-markers', '-q', '-p', 'no:cacheprovider',
    '-p', 'no:xdist', '--no-header', '--tb=short',
)  # fmt: skip
#: how often a child is looked at, in seconds
PAUSE = 0.05
#: how many times its processor time a child may take by the clock
PATIENCE = 10
#: pytest's exit codes
PASSED, FAILED, INTERRUPTED, MISUSED = 0, 1, 2, 4


def import_heavy() -> None:
    """Import what every child needs and what is not under test."""
    for name in HEAVY:
        with suppress(ImportError):
            importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    assert 'incseg' not in sys.modules, 'the parent must not know the code under test'
    gc.collect()
    gc.freeze()  # the children's collections need not go through all this


class Copy:
    """A copy of the tree for one child at a time.

    Args:
        tree: The tree under test, which stays as it is.
        folder: Where the copy goes.
        like: A copy with bytecode in it, to be copied in place of the tree.
    """

    def __init__(self, tree: Path, folder: Path, like: Path | None = None) -> None:
        self.tree, self.root = tree, folder / 'tree'
        ignored = shutil.ignore_patterns('.git')
        shutil.copytree(like or tree, self.root, ignore=ignored, symlinks=True)
        self.changed: str | None = None
        self.result = folder / 'result.json'
        self.log = folder / 'log.txt'
        self.temporary = folder / 'tmp'

    def source(self, module: str) -> str:
        """Return the text of a module of the tree."""
        return (self.tree / module).read_text()

    def change(self, module: str, source: str) -> None:
        """Put another text in the place of a module's."""
        self.restore()
        (self.root / module).write_text(source)
        self.changed = module

    def restore(self) -> None:
        """Put back what was changed."""
        if self.changed is not None:
            shutil.copy2(self.tree / self.changed, self.root / self.changed)
        self.changed = None


@dataclass
class Child:
    """A forked process that runs tests in a copy of the tree."""

    pid: int
    copy: Copy
    limit: float
    started: float

    def finished(self) -> dict[str, Any] | None:
        """Return how it went, None while it runs; one that takes too long is killed."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        late = not pid and self.is_late()
        if not pid and not late:
            return None
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # with what its tests have started
        if late:
            os.waitpid(self.pid, 0)
        seconds = round(time.monotonic() - self.started, 2)
        if late:
            return dict(code='timeout', seconds=seconds)
        if not self.copy.result.is_file():
            return dict(code='crash', why=f'wait status {status}', seconds=seconds)
        return dict(json.loads(self.copy.result.read_text()), seconds=seconds)

    def is_late(self) -> bool:
        """Tell whether it has used more processor time than it may, or waits for too long."""
        if time.monotonic() > self.started + PATIENCE * self.limit:
            return True
        with suppress(OSError):
            used = Path(f'/proc/{self.pid}/stat').read_text().rpartition(')')[2].split()[11:13]
            return sum(map(int, used)) > self.limit * os.sysconf('SC_CLK_TCK')
        return False

    def wait(self) -> dict[str, Any]:
        """Return how it went, once it has ended."""
        while (result := self.finished()) is None:
            time.sleep(PAUSE)
        return result


def start(copy: Copy, limit: float, work: Callable[[], Mapping[str, Any]]) -> Child:
    """Fork a child that does some work in a copy of the tree and writes down the result.

    Args:
        copy: Where it works.
        limit: After how many seconds of processor time it is killed.
        work: What it does, with the copy as current folder and first on the path.
    """
    copy.result.unlink(missing_ok=True)
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return Child(pid, copy, limit, time.monotonic())
    try:
        os.setsid()
        log = os.open(copy.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(copy.root)
        sys.path.insert(0, str(copy.root))
        os.environ['PYTHONPATH'] = str(copy.root)
        result = work()
        incseg = sys.modules.get('incseg')
        origin = getattr(incseg, '__file__', None)
        assert origin is None or Path(origin).is_relative_to(copy.root), origin
        partial = copy.result.with_suffix('.part')
        partial.write_text(json.dumps(result))
        partial.rename(copy.result)
    except BaseException as error:  # the log keeps it; the parent sees that there is no result
        print(f'child failed: {type(error).__name__}: {error}', flush=True)
    finally:
        sys.stdout.flush()
        os._exit(0)
    raise AssertionError('unreachable')


class Picker:
    """A pytest plugin: runs the chosen tests in the given order and keeps the first failure."""

    def __init__(self, chosen: Sequence[str]) -> None:
        self.place = {name: i for i, name in enumerate(chosen)}
        self.failed: list[str] = []
        self.why = ''
        self.ran = 0

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        kept = [item for item in items if item.nodeid in self.place]
        items[:] = sorted(kept, key=lambda item: self.place[item.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.ran += report.when == 'call'
        if report.failed:
            crash = getattr(report.longrepr, 'reprcrash', None)
            self.why = self.why or str(getattr(crash, 'message', report.longrepr))[:160]
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.why = self.why or str(report.longrepr).strip().splitlines()[-1][:160]
            self.failed.append(report.nodeid)


def run_tests(copy: Copy, chosen: Sequence[str], first_only: bool = True) -> dict[str, Any]:
    """Run tests by their ids; to be called in a child."""
    import pytest

    sys.dont_write_bytecode = True
    os.environ['PYTHONDONTWRITEBYTECODE'] = '1'
    picker = Picker(chosen)
    files = list(dict.fromkeys(name.partition('::')[0] for name in chosen))
    options = [*OPTIONS, *(['-x'] if first_only else []), f'--basetemp={copy.temporary}']
    code = int(pytest.main([*options, *files], plugins=[picker]))
    why = picker.why.replace(str(copy.root.parent), '')
    return dict(code=code, failed=picker.failed, why=why, ran=picker.ran)
