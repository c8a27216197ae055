"""A run's work dir: its files of earlier runs, and the rules for building on them."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process

from incseg.engine.checkpoint import StepCheckpoint, check_protocol, read_resume_checkpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.work_dir.config import check_run_config
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation import Ledger
from incseg.evaluation.run_settings import CONFIG_FILE
from incseg.utils.files import has_digest, read_json, remove_leftovers
from incseg.utils.rules import expected, is_number

METRICS = 'metrics.json'
#: the files of a step that a run leaves, the network first
STEP_FILES = ('final.pth', 'resume.pth', METRICS)


def networks_to_keep(keep: Any) -> int | None:
    """Return the number of networks that ``schedule.keep`` leaves; None for all.

    Args:
        keep: The setting: ``'all'`` or None (both keep all), ``'last'`` or a number.
    """
    return {None: None, 'all': None, 'last': 1}.get(keep, keep)


class WorkDir:
    """The files of earlier runs in a work dir, and the rules for building on them.

    Nothing that a run made is removed or replaced unless the user says so with
    ``--redo-from``.

    Args:
        path: The folder; it need not exist.
        experiment: The experiment that runs in it.
        resume: Whether an interrupted run continues.
        redo_from: The step from which a run is trained anew; None for none.  It implies
            ``resume``.
    """

    def __init__(
        self, path: Path, experiment: Experiment, resume: bool, redo_from: int | None = None
    ):
        self.path, self.experiment = path, experiment
        self.resume, self.redo_from = resume or redo_from is not None, redo_from
        #: the first step that is here: that of a given network, else 0
        self.first = 0

    def step(self, k: int) -> Path:
        """Return the folder of step ``k``."""
        return self.path / f'step_{k}'

    def checkpoint(self, k: int) -> Path:
        """Return the path of the saved network of step ``k``."""
        return self.step(k) / 'final.pth'

    def earlier_entries(self, named: list[int] | None) -> list[dict[str, Any]]:
        """Return the ledger's entries that this run continues from.

        Without ``--resume``, ``named`` steps may be added to a run, but no step is
        trained again.

        Args:
            named: The steps of ``--steps``; None for all.

        Raises:
            InvalidInputError: A file of an earlier run is in the way, the run was started
                with another config, or its ``config.json`` is missing.
        """
        ledger = Ledger.read(self.path)
        entries: list[dict[str, Any]] = ledger['steps'] if ledger else []
        made = self._made(entries)
        if not self.resume:
            self._check_free(made, ledger, named)
        if made and self.resume and not (self.path / CONFIG_FILE).is_file():
            raise InvalidInputError(
                f'{self.path} has no {CONFIG_FILE}, so nothing tells with which settings its run '
                'was started: put the file back, or pass another --work-dir'
            )
        check_run_config(self.experiment.raw_config, self.path)
        return entries

    def _made(self, entries: Collection[dict[str, Any]]) -> dict[int, list[str]]:
        """Return what earlier runs left of each step: names of files, the ledger's last."""
        made: dict[int, list[str]] = {}
        for folder in self.path.glob('step_*'):
            number = folder.name.removeprefix('step_')
            there = [name for name in STEP_FILES if (folder / name).is_file()]
            if number.isdigit() and there:
                made[int(number)] = [f'{folder.name}/{name}' for name in there]
        for entry in entries:
            made.setdefault(entry['step'], []).append(Ledger.FILE)
        return made

    def _check_free(
        self, made: Mapping[int, Any], ledger: dict[str, Any] | None, named: list[int] | None
    ) -> None:
        """Refuse to train what is there already, or what something there was trained from."""
        found = [made[k][0] for k in sorted(made) if named is None or k >= min(named)]
        if named is None and (self.path / CONFIG_FILE).is_file():
            found.append(CONFIG_FILE)
        if not found:
            return
        holds, same = found[0], True
        if ledger is not None:
            holds = f'the ledger of {ledger["config"]}'
            same = ledger['config'] == self.experiment.ledger_header()['config']
        advice = (
            'pass --resume to go on with it, or another --work-dir'
            if same
            else 'pass another --work-dir (--resume goes on with the same config only)'
        )
        raise InvalidInputError(f'{self.path} already holds {holds}: {advice}')

    def check_start(self, steps: list[int], entries: Collection[dict[str, Any]]) -> None:
        """Check that the steps are consecutive and that no network of an earlier run is lost.

        Args:
            steps: The steps of this run.
            entries: The ledger's entries of earlier runs.

        Raises:
            InvalidInputError: A step is left out.
            MissingFileError: The network that a step starts from is missing, or one from which
                a later step was trained, or whose scores the ledger holds.
        """
        first = steps[0]
        if first < self.first:
            raise expected('--steps', first, f'{self.first} or later: the start is of that step')
        if steps != list(range(first, first + len(steps))):
            raise InvalidInputError(
                f'--steps {steps} leaves a step out: each starts from the one before it'
            )
        removed = {entry['step'] for entry in entries if not entry.get('kept', True)}
        if first > self.first and not self.checkpoint(first - 1).is_file():
            why = ', which schedule.keep removed' if first - 1 in removed else ''
            raise MissingFileError(
                f'step {first} starts from step {first - 1}, but there is no '
                f'{self.checkpoint(first - 1)}{why}; train step {first - 1} first'
            )
        if self.redo_from is not None:
            self._check_redo(self.redo_from, removed, self._made(entries))
        elif self.resume:
            self._check_complete(removed, self._made(entries))

    def _check_redo(
        self, first: int, removed: Collection[int], made: Mapping[int, list[str]]
    ) -> None:
        """Refuse to train from a step on where there is no run, or no network to start from."""
        if not made:
            raise MissingFileError(
                f'{self.path} holds no run, so --redo-from {first} has nothing to train anew'
            )
        if first > self.first and not self.checkpoint(first - 1).is_file():
            why = 'which schedule.keep removed' if first - 1 in removed else 'which is missing'
            steps = range(self.first, first)
            way = max(k for k in steps if k == self.first or self.checkpoint(k - 1).is_file())
            raise MissingFileError(
                f'step {first} starts from {self.checkpoint(first - 1)}, {why}: nothing was '
                f'changed; put the file back, or pass --redo-from {way}'
            )

    def _check_complete(self, removed: Collection[int], made: Mapping[int, list[str]]) -> None:
        """Refuse a step without its network that was trained before, or that others follow."""
        end = max(made, default=-1) + 1
        for k in range(self.first, end):
            if k in removed or self.checkpoint(k).is_file():
                continue
            later = [j for j in made if k < j < end]
            own = [name for name in made.get(k, []) if not name.endswith('resume.pth')]
            if later or own:
                known = f'{own[-1]} knows it' if own else f'step {max(later)} was trained after it'
                raise MissingFileError(
                    f'{self.checkpoint(k)} is missing, but {known}: put the file back, or pass '
                    f'--redo-from {k}, which trains step {k} and all later steps anew'
                )

    def previous(self, k: int) -> StepCheckpoint | None:
        """Return the checkpoint of step ``k - 1``, from which ``k`` starts; None at step 0.

        Raises:
            UserError: The checkpoint is missing, damaged or of another protocol.
        """
        return self.read(k - 1) if k else None

    def read(self, k: int) -> StepCheckpoint:
        """Read the checkpoint of step ``k``, and check that it is of this protocol."""
        checkpoint = StepCheckpoint(self.checkpoint(k))
        if checkpoint.meta['step'] != k:
            raise expected(f'step of the network in {checkpoint}', checkpoint.meta['step'], str(k))
        check_protocol(checkpoint.meta, self.experiment.describe_protocol(k), checkpoint)
        return checkpoint

    def interrupted(self, k: int) -> str | None:
        """Return the path of ``resume.pth`` of step ``k``; None if it was not interrupted.

        Raises:
            InvalidInputError: The file is damaged.
        """
        path = self.step(k) / 'resume.pth'
        if not path.is_file() or self.checkpoint(k).is_file():
            return None
        try:
            read_resume_checkpoint(path)
        except InvalidInputError as error:
            raise InvalidInputError(
                f'{error}; remove it to begin step {k} again, or put it back'
            ) from error
        return str(path)

    def metrics(self, k: int) -> dict[str, Any] | None:
        """Return the scores of the network of step ``k``; None if they were not written."""
        path = self.step(k) / METRICS
        return read_metrics(path, has_digest(self.path / CONFIG_FILE)) if path.is_file() else None

    def redoes(self, k: int) -> bool:
        """Say whether ``--redo-from`` trains step ``k`` anew."""
        return self.redo_from is not None and k >= self.redo_from

    def tidy(self, ledger: Ledger, keep: int | None) -> None:
        """Remove what killed writes left, and the steps that ``--redo-from`` trains anew.

        Args:
            ledger: The run's ledger; the entries of those steps are taken out.
            keep: How many of the last networks stay (:meth:`apply_policy`); None for all.
        """
        again = [] if self.redo_from is None else self._steps_from(self.redo_from, ledger)
        for k in again:
            ledger.drop(k)
        if is_main_process() and self.path.is_dir():
            remove_leftovers(self.path)
            if again:
                ledger.write(self.path)
            for k in again:
                for name in reversed(STEP_FILES):
                    (self.step(k) / name).unlink(missing_ok=True)
            for entry in ledger.steps:
                if self.checkpoint(entry['step']).is_file():
                    (self.step(entry['step']) / 'resume.pth').unlink(missing_ok=True)
        barrier()
        self.apply_policy(ledger, keep)

    def _steps_from(self, first: int, ledger: Ledger) -> list[int]:
        """Return the steps from ``first`` on of which something is there, the last one first."""
        return sorted((k for k in self._made(ledger.steps) if k >= first), reverse=True)

    def apply_policy(self, ledger: Ledger, keep: int | None) -> None:
        """Remove the networks of old steps, and say so in the ledger.

        Args:
            ledger: The run's ledger; the entries of these steps get ``kept`` = False.
            keep: How many of the last networks stay; None for all.
        """
        if keep is None:
            return
        old = ledger.steps[:-keep]
        news = any(entry.get('kept', True) for entry in old)
        for entry in old:
            entry['kept'] = False
        if is_main_process():
            if news:
                ledger.write(self.path)
            for entry in old:
                with suppress(FileNotFoundError):
                    self.checkpoint(entry['step']).unlink()
        barrier()


def read_metrics(path: Path, digest: bool = True) -> dict[str, Any]:
    """Read ``metrics.json``, the scores that :func:`evaluate` found for the network of a step.

    Args:
        path: The file, of a step of a run or of a shared base step.
        digest: Whether a file without digest is refused; incseg 0.1 wrote none.

    Returns:
        ``{'iou': {class name: percent or None}, 'accuracy': percent}``.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It is damaged, or its digest shows that it was edited.
    """
    metrics = read_json(path, 'the record of a step', digest)
    iou = metrics.get('iou')
    if not isinstance(iou, dict) or not iou or 'accuracy' not in metrics:
        raise InvalidInputError(f'{path} is damaged: it lacks iou or accuracy')
    for name, value in [*iou.items(), ('accuracy', metrics['accuracy'])]:
        if value is not None and not is_number(value):
            raise expected(f'{path}: {name}', value, 'a number or null')
    return metrics
