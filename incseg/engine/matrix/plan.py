import os
import re
import shlex
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from incseg.engine.recipe.experiment import Experiment
from incseg.engine.work_dir import as_written, check_run_config
from incseg.errors import InvalidInputError
from incseg.evaluation import Ledger
from incseg.evaluation.comparison.runs import COLUMNS, RunResult
from incseg.evaluation.report import number
from incseg.evaluation.run_settings import flatten, row_settings
from incseg.utils.repository import tools_folder


@dataclass(eq=False)
class MatrixRun:
    """One config with one seed, and the subprocess of ``tools/train.py`` that trains it.

    Args:
        config_path: The config's file, as the user wrote it.
        options: Overrides by dotted key, without the seed.
        config: The complete, checked config with options and seed.
        folder: Where all runs' work dirs are.
        name: What tells it from another run of the same config; the row's
            title in the table.
    """

    config_path: str
    options: dict[str, Any]
    config: Any
    folder: Path
    name: str | None = None
    experiment: Experiment = field(init=False)

    def __post_init__(self) -> None:
        self.experiment = Experiment(self.config)

    @property
    def title(self) -> str:
        """``<method folder>/<config stem>[_<name>]_seed<seed>``: stems recur over the folders."""
        path = Path(self.config_path).resolve()
        name = f'_{self.name}' if self.name else ''
        return f'{path.parent.name}/{path.stem}{name}_seed{self.experiment.seed}'

    @property
    def work_dir(self) -> Path:
        return self.folder / self.title

    @property
    def log(self) -> Path:
        """What the subprocess printed, over all attempts."""
        return self.work_dir / 'train.log'

    @property
    def argument(self) -> str:
        """The run as :func:`incseg.evaluation.comparison.compare.compare` takes it."""
        return f'{self.name}={self.work_dir}' if self.name else str(self.work_dir)

    @property
    def settings(self) -> dict[str, Any]:
        """By dotted key, what seeds of one row have in common."""
        return row_settings(dict(flatten(as_written(self.config))))

    def ledger(self) -> RunResult | None:
        """What the work dir's ledger says, if there is one.

        Raises:
            InvalidInputError: If it is damaged or something else.
        """
        path = self.work_dir / Ledger.FILE
        return RunResult.read(path) if path.is_file() else None

    def check(self) -> None:
        """Refuse a work dir that was started as something else.

        Raises:
            InvalidInputError: Naming what differs.
        """
        check_run_config(self.config, self.work_dir)
        found, header = self.ledger(), self.experiment.ledger_header()
        for key in ('method', 'seed', 'protocol') if found else ():
            if found is not None and found.content[key] != header[key]:
                raise InvalidInputError(
                    f'{self.work_dir} holds the ledger of another run: its {key} is '
                    f'{found.content[key]!r}, this config says {header[key]!r}'
                )

    def finished(self) -> bool:
        """Whether the ledger has every step of the protocol (joint training: its one)."""
        found = self.ledger()
        return found is not None and [entry['step'] for entry in found.content['steps']] == list(
            range(self.experiment.num_steps)
        )

    def started(self) -> bool:
        """Whether there is something to go on with."""
        return (self.work_dir / 'step_0').is_dir()

    def result(self, convention: str) -> str:
        """``base …, added …, all …`` of a run with a ledger."""
        found = self.ledger()
        return ', '.join(
            f'{column} {number(found.final(convention, column) if found else None)}'
            for column in COLUMNS
        )

    def command(self, processes: int = 0, reuse: bool = True) -> list[str]:
        """The command line; with ``--resume``, so that it is the same after an interruption.

        Args:
            processes: How many torchrun starts; 0 for none.
            reuse: Whether the base step may be shared.
        """
        here = Path.cwd()
        tools = tools_folder()
        tools = tools.relative_to(here) if tools.is_relative_to(here) else tools
        tool = [sys.executable, str(tools / 'train.py'), self.config_path]
        if processes:
            tool = [str(tools / 'dist_train.sh'), self.config_path, str(processes)]
        options = [f'{key}={as_text(value)}' for key, value in self.options.items()]
        return [
            *tool,
            '--work-dir',
            str(self.work_dir),
            '--seed',
            str(self.experiment.seed),
            '--resume',
            *([] if reuse else ['--no-reuse']),
            *(['--cfg-options', *options] if options else []),
        ]

    def shown_command(self, processes: int = 0, reuse: bool = True) -> str:
        """The command line as one would type it."""
        command = self.command(processes, reuse)
        return shlex.join(['python' if part == sys.executable else part for part in command])


def as_text(value: Any) -> str:
    """A value as ``--cfg-options`` reads it: quoted where it would be taken for another."""
    plain = isinstance(value, str) and re.fullmatch(r'[A-Za-z_/][\w./-]*', value)
    return value if plain and value.lower() not in ('true', 'false', 'none') else repr(value)


def environment(processes: int) -> dict[str, str]:
    """The subprocess's environment: for torchrun, this Python and a free port."""
    if not processes:
        return dict(os.environ)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return dict(os.environ, PYTHON=sys.executable, PORT=str(probe.getsockname()[1]))
