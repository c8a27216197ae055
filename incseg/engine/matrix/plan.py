import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from incseg.engine.base_steps import BaseSteps
from incseg.engine.matrix.child_process import tool_command
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import config_for_step, config_for_test
from incseg.engine.work_dir import as_written, check_run_config
from incseg.errors import InvalidInputError, UserError
from incseg.evaluation import Ledger
from incseg.evaluation.comparison.runs import RunResult
from incseg.evaluation.ledger import COLUMNS
from incseg.evaluation.report import number
from incseg.evaluation.run_settings import flatten, model_title, row_settings


@dataclass(eq=False)
class MatrixRun:
    """One run of a matrix: a config with a seed, trained by a child process.

    Args:
        config_path: The path of the config, as the user wrote it.
        options: Overrides by dotted key, without the seed.
        config: The complete, checked config with options and seed.
        folder: The folder of all work dirs.
        name: The title of the run's row in the table, which also tells runs of one config
            apart; None for a title made from the method.
        start: The ``final.pth`` that takes the place of step 0, as the user wrote it; None for
            none.
    """

    config_path: str
    options: dict[str, Any]
    config: Any
    folder: Path
    name: str | None = None
    start: str | None = None
    experiment: Experiment = field(init=False)

    def __post_init__(self) -> None:
        self.experiment = Experiment(self.config)

    @property
    def title(self) -> str:
        """``<method folder>/<config stem>[_<model>][_<name>]_seed<seed>``, unique in a matrix."""
        path = Path(self.config_path).resolve()
        parts = (path.stem, model_title(self.config), self.name)
        name = '_'.join(part for part in parts if part)
        return f'{path.parent.name}/{name}_seed{self.experiment.seed}'

    @property
    def work_dir(self) -> Path:
        """The work dir of the run, below ``folder``."""
        return self.folder / self.title

    @property
    def log(self) -> Path:
        """The file with the output of all attempts."""
        return self.work_dir / 'train.log'

    @property
    def argument(self) -> str:
        """The run as an argument of :func:`incseg.evaluation.comparison.compare.compare`."""
        return f'{self.name}={self.work_dir}' if self.name else str(self.work_dir)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, by dotted key, that all seeds of a row share."""
        return row_settings(dict(flatten(as_written(self.config))))

    def ledger(self) -> RunResult | None:
        """Read the ledger of the work dir; None if there is none yet.

        Raises:
            InvalidInputError: The file is damaged or no ledger.
        """
        path = self.work_dir / Ledger.FILE
        return RunResult.read(path) if path.is_file() else None

    def check(self) -> None:
        """Refuse a work dir that was started with another config.

        Raises:
            InvalidInputError: Names the first setting that differs.
        """
        check_run_config(self.config, self.work_dir)
        ledger, header = self.ledger(), self.experiment.ledger_header()
        for key in ('method', 'seed', 'protocol') if ledger else ():
            if ledger is not None and ledger.content[key] != header[key]:
                raise InvalidInputError(
                    f'{self.work_dir} holds the ledger of another run: its {key} is '
                    f'{ledger.content[key]!r}, this config says {header[key]!r}'
                )

    def finished(self) -> bool:
        """Tell whether the ledger has every step that the method trains."""
        ledger = self.ledger()
        return ledger is not None and [entry['step'] for entry in ledger.content['steps']] == list(
            range(self.experiment.num_steps)
        )

    def has_base(self) -> bool:
        """Tell whether the ledger has step 0, which is then in the store of base steps, too."""
        try:
            ledger = self.ledger()
        except UserError:  # damaged: its training says so
            return False
        return ledger is not None and any(entry['step'] == 0 for entry in ledger.content['steps'])

    def started(self) -> bool:
        """Tell whether the run has begun a step."""
        return (self.work_dir / 'step_0').is_dir()

    def result(self, convention: str) -> str:
        """Return the final mIoUs of the run as text, ``base …, added …, all …``.

        Args:
            convention: Which IoUs are averaged: ``'mib'``, ``'plop'`` or ``'wilson'``.
        """
        ledger = self.ledger()
        return ', '.join(
            f'{column} {number(ledger.final(convention, column) if ledger else None)}'
            for column in COLUMNS
        )

    def command(
        self, processes: int = 0, reuse: bool = True, steps: Sequence[int] = ()
    ) -> list[str]:
        """Return the command line that trains the run.

        It has ``--resume``, so it also continues an interrupted run.

        Args:
            processes: The number of processes for torchrun; 0 starts no torchrun.
            reuse: Whether the base step may be shared with other runs.
            steps: The only steps to train; all by default.
        """
        options = [f'{key}={as_text(value)}' for key, value in self.options.items()]
        return tool_command(
            'train',
            self.config_path,
            *('--work-dir', str(self.work_dir), '--seed', str(self.experiment.seed), '--resume'),
            *([] if reuse else ['--no-reuse']),
            *(['--steps', *map(str, steps)] if steps else []),
            *([] if self.start is None else ['--start', self.start]),
            *(['--cfg-options', *options] if options else []),
            processes=processes,
        )

    def printed_command(self, processes: int = 0, reuse: bool = True) -> str:
        """Return :meth:`command` as one line that a user would type."""
        command = self.command(processes, reuse)
        return shlex.join(['python' if part == sys.executable else part for part in command])


def base_key(run: MatrixRun) -> str | None:
    """Return a text that runs with the same base step share.

    It is the hash of the store (:meth:`BaseSteps.place`), but reads no image.  The lock of the
    store decides where two runs differ in their images alone.

    Returns:
        The text; None for a run that neither takes nor shares a base step, or whose base step
        cannot be told from its config.
    """
    experiment = run.experiment
    if run.start is not None or not experiment.sources.test_parts(0):
        return None
    try:
        step = config_for_step(experiment, 0, experiment.config['batch_size'], '')
        store = BaseSteps(experiment.config['base_steps_dir'])
        return str(store.place(experiment, step, config_for_test(experiment, 0, ''), ''))
    except Exception:  # of a plug-in, too: the run's training says what is wrong
        return None


def as_text(value: Any) -> str:
    """Return a value as ``--cfg-options`` reads it, quoted where it is ambiguous."""
    plain = isinstance(value, str) and re.fullmatch(r'[A-Za-z_/][\w./-]*', value)
    return value if plain and value.lower() not in ('true', 'false', 'none') else repr(value)
