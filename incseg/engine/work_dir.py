"""A run's work dir: its files of earlier runs, and the config it was started with."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process

from incseg.engine.checkpoint import StepCheckpoint, check_protocol, read_checkpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation import Ledger
from incseg.evaluation.run_settings import (
    CONFIG_FILE,
    LABELS,
    flatten,
    is_free,
    read_run_config,
    read_settings,
)
from incseg.utils.files import write_atomically


class WorkDir:
    """The files of earlier runs in a work dir, and the rules for building on them.

    Args:
        path: The folder; it need not exist.
        experiment: The experiment that runs in it.
        resume: Whether an interrupted run continues.
    """

    def __init__(self, path: Path, experiment: Experiment, resume: bool):
        self.path, self.experiment, self.resume = path, experiment, resume

    def step(self, k: int) -> Path:
        """Return the folder of step ``k``."""
        return self.path / f'step_{k}'

    def checkpoint(self, k: int) -> Path:
        """Return the path of the saved network of step ``k``."""
        return self.step(k) / 'final.pth'

    def earlier_entries(self, named: list[int] | None) -> list[dict[str, Any]]:
        """Return the ledger's entries that this run continues from.

        Without ``--resume``, steps that are named may be added to a ledger, but no step
        is trained again.

        Args:
            named: The steps that the user named; None for all.

        Raises:
            InvalidInputError: A ledger is in the way, or the run was started with
                another config.
        """
        ledger = Ledger.read(self.path)
        done = {entry['step'] for entry in ledger['steps']} if ledger else set()
        if ledger and not self.resume and (named is None or done & set(named)):
            same = ledger['config'] == self.experiment.ledger_header()['config']
            advice = (
                'pass --resume to go on with it, or another --work-dir'
                if same
                else 'pass another --work-dir (--resume goes on with the same config only)'
            )
            raise InvalidInputError(
                f'{self.path} already holds the ledger of {ledger["config"]}: {advice}'
            )
        if ledger or self.resume:
            check_run_config(self.experiment.raw_config, self.path)
        return ledger['steps'] if ledger else []

    def check_start(self, steps: list[int]) -> None:
        """Check that the steps are consecutive and that the first one can start.

        Raises:
            InvalidInputError: A step is left out.
            MissingFileError: The step before the first one has no checkpoint.
        """
        first = steps[0]
        if steps != list(range(first, first + len(steps))):
            raise InvalidInputError(
                f'--steps {steps} leaves a step out: each starts from the one before it'
            )
        if first > 0 and not self.checkpoint(first - 1).is_file():
            raise MissingFileError(
                f'step {first} starts from step {first - 1}, but there is no '
                f'{self.checkpoint(first - 1)}; train step {first - 1} first'
            )

    def previous(self, k: int) -> StepCheckpoint | None:
        """Return the checkpoint before step ``k``; None at step 0.

        Raises:
            UserError: If it is missing, damaged or of another protocol.
        """
        return self.read(k - 1) if k else None

    def read(self, k: int) -> StepCheckpoint:
        """Read the checkpoint of step ``k``, and check that it is of this protocol."""
        checkpoint = StepCheckpoint(self.checkpoint(k))
        check_protocol(checkpoint.meta, self.experiment.describe_protocol(k), checkpoint)
        return checkpoint

    def interrupted(self, k: int) -> str | None:
        """Return the checkpoint that an interrupted step ``k`` continues from, or None.

        Raises:
            InvalidInputError: The file is damaged.
        """
        path = self.step(k) / 'resume.pth'
        if not path.is_file() or self.checkpoint(k).is_file():
            return None
        read_checkpoint(path)
        return str(path)

    def clear(self, k: int) -> None:
        """Remove the networks of the steps after ``k``, and of step ``k`` unless it is resumed.

        Later steps grew from a network that is about to be replaced.
        """
        barrier()
        for folder in self.path.glob('step_*') if is_main_process() else ():
            number = folder.name.removeprefix('step_')
            if number.isdigit() and int(number) + (not self.resume) > k:
                for name in ('resume.pth', 'final.pth'):
                    (folder / name).unlink(missing_ok=True)
        barrier()

    def label_digests(self) -> dict[str, str]:
        """Return the fingerprints of the steps' labels in ``config.json``, by step as text."""
        return (read_run_config(self.path) or {}).get(LABELS) or {}

    def check_labels(self, digests: Mapping[str, str]) -> None:
        """Refuse to go on with steps whose image-level labels have changed.

        Args:
            digests: The fingerprints of the labels now, by step as text.

        Raises:
            InvalidInputError: Naming the step.
        """
        before = self.label_digests()
        for k, value in digests.items():
            begun = self.checkpoint(int(k)).is_file() or self.interrupted(int(k)) is not None
            if self.resume and begun and before.get(k, value) != value:
                raise InvalidInputError(
                    f'{self.path}: the image-level labels of step {k} are others than those '
                    'that it was trained on; pass another --work-dir, or put the labels back'
                )

    def write_settings(self, digests: Mapping[str, str]) -> None:
        """Write the complete config and the fingerprints of the labels to ``config.json``."""
        labels = {**self.label_digests(), **digests}
        config = dict(self.experiment.raw_config)
        write_run_config({**config, LABELS: labels} if labels else config, self.path)


def write_run_config(config: Any, work_dir: Path) -> None:
    """Write the complete config to ``config.json``."""
    text = json.dumps(dict(config), indent=1, default=repr) + '\n'
    write_atomically(work_dir / CONFIG_FILE, text)


def as_written(config: Any) -> Any:
    """Return a config, or a part of one, as it is read again from ``config.json``."""
    return json.loads(json.dumps(dict(config), default=repr))


def check_run_config(config: Any, work_dir: Path, ignored: Collection[str] = ()) -> None:
    """Refuse to resume with a config that would train something else.

    Args:
        config: The config of now.
        work_dir: The folder with the config of the earlier run.
        ignored: Keys to ignore.

    Raises:
        InvalidInputError: Names the first key that differs and both values.
    """
    before = read_settings(work_dir)
    if before is None:
        return
    now = dict(flatten(as_written(config)))
    names_first = sorted(
        {*before, *now} - {*ignored},
        key=lambda key: (not key.endswith('.name'), key.startswith('files.'), key),
    )  # what was meant comes first
    for key in names_first:
        if not is_free(key) and before.get(key) != now.get(key):
            raise InvalidInputError(
                f'{work_dir} was started with {key} = {before.get(key)!r}, this config says '
                f'{now.get(key)!r}; resume with the same config, or pass another --work-dir'
            )
