"""The config a work dir was started with; ``--resume`` refuses to go on with another."""

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
    """What earlier runs left in a work dir, and what of it may be built on.

    Args:
        path: The folder; it need not exist.
        experiment: The experiment that runs in it.
        resume: Whether an interrupted run goes on.
    """

    def __init__(self, path: Path, experiment: Experiment, resume: bool):
        self.path, self.experiment, self.resume = path, experiment, resume

    def step(self, k: int) -> Path:
        """The folder of step ``k``."""
        return self.path / f'step_{k}'

    def checkpoint(self, k: int) -> Path:
        """Where the network of step ``k`` is saved."""
        return self.step(k) / 'final.pth'

    def earlier_entries(self, named: list[int] | None) -> list[dict[str, Any]]:
        """The ledger's entries that this run goes on from.

        Without ``--resume`` only steps named one by one may be added to a
        ledger, and none trained again.

        Args:
            named: The steps that were asked for; None for all.

        Raises:
            InvalidInputError: If the ledger is in the way, or the run was
                started with another config.
        """
        found = Ledger.read(self.path)
        done = {entry['step'] for entry in found['steps']} if found else set()
        if found and not self.resume and (named is None or done & set(named)):
            same = found['config'] == self.experiment.ledger_header()['config']
            advice = (
                'pass --resume to go on with it, or another --work-dir'
                if same
                else 'pass another --work-dir (--resume goes on with the same config alone)'
            )
            raise InvalidInputError(
                f'{self.path} already holds the ledger of {found["config"]}: {advice}'
            )
        if found or self.resume:
            check_run_config(self.experiment.raw_config, self.path)
        return found['steps'] if found else []

    def check_start(self, steps: list[int]) -> None:
        """The steps follow each other, and what the first one starts from is there.

        Raises:
            InvalidInputError: If a step is left out.
            MissingFileError: If the first one's predecessor has no checkpoint.
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
        """The checkpoint that an interrupted step ``k`` goes on from, if it can be read."""
        path = self.step(k) / 'resume.pth'
        if not path.is_file() or self.checkpoint(k).is_file():
            return None
        read_checkpoint(path)
        return str(path)

    def clear(self, k: int) -> None:
        """Remove what an earlier run left after step ``k``, and at it unless it is resumed.

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
    """Keep the complete config beside the results."""
    text = json.dumps(dict(config), indent=1, default=repr) + '\n'
    write_atomically(work_dir / CONFIG_FILE, text)


def as_written(config: Any) -> Any:
    """A config, or a part of one, as :func:`write_run_config` would have it read again."""
    return json.loads(json.dumps(dict(config), default=repr))


def check_run_config(config: Any, work_dir: Path, but: Collection[str] = ()) -> None:
    """Refuse to resume with a config that would train something else; ``but``: never mind these.

    Raises:
        InvalidInputError: Naming the first key that differs and both values.
    """
    before = read_settings(work_dir)
    if before is None:
        return
    now = dict(flatten(as_written(config)))
    names_first = sorted(
        {*before, *now} - {*but},
        key=lambda key: (not key.endswith('.name'), key.startswith('files.'), key),
    )  # what was meant comes first
    for key in names_first:
        if not is_free(key) and before.get(key) != now.get(key):
            raise InvalidInputError(
                f'{work_dir} was started with {key} = {before.get(key)!r}, this config says '
                f'{now.get(key)!r}; resume with the same config, or pass another --work-dir'
            )
