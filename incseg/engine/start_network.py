"""A network that takes the place of a run's first step or steps: ``--start``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incseg.engine.checkpoint import (
    FilePath,
    StepCheckpoint,
    check_classes,
    check_first_steps,
    load_weights,
)
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import network_config
from incseg.engine.recipe.step_sources import OPEN
from incseg.engine.work_dir import RunInputs, WorkDir
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import CONFIG_FILE, GIVEN, STARTS, read_run_config
from incseg.registry import HOOKS, MODELS, part_of


class StartNetwork:
    """A network, imported or of another run, that a run takes as its step 0.

    In an open protocol it may be of a later step, if its steps learned what the first steps of
    the protocol learn; it then takes the place of all of them.

    Args:
        file: Its ``final.pth``; it is read at once.

    Attributes:
        checkpoint: The file.
        name: The file as it was given, or as the run was given it at its start.
        step: The last step whose place it takes.

    Raises:
        MissingFileError, InvalidInputError: The file is missing, damaged or none of a step.
    """

    def __init__(self, file: FilePath):
        self.checkpoint = StepCheckpoint.of(file)
        self.content: dict[str, Any] = self.checkpoint.content
        self.name = str(file)
        self.step: int = self.checkpoint.meta['step']

    @classmethod
    def of(cls, file: FilePath | None, work_dir: Path) -> 'StartNetwork | None':
        """Return the network that a run starts from, or started from; None for neither.

        Args:
            file: What the user names; None for nothing.
            work_dir: The run's folder, which records the network of an earlier call.
        """
        if file is not None:
            return cls(file)
        own = recorded_start(work_dir)
        if own is None:
            return None
        made = cls(own)
        made.name = made.checkpoint.meta.get('imported_from', made.name)
        return made

    @property
    def digest(self) -> str:
        """The first digits of the digest of its weights."""
        return self.checkpoint.digest

    def remark(self) -> str:
        """Return what a user should know of its scores before they come, in one line; or ''."""
        if (self.checkpoint.meta.get('imported') or {}).get('background') != 'added':
            return ''
        return (
            f'{self.name}: its background was added and never wins, so the IoU of background stays '
            '0 until a step teaches it'
        )

    def needs_images(self, experiment: Experiment) -> bool:
        """Say whether a later step reads images of step 0: a memory, or a hook without its state.

        Args:
            experiment: The experiment.
        """
        memory = experiment.config['method'].get('memory') or {}
        chooses = bool(memory.get('size')) and memory.get('since', 0) <= self.step
        return chooses or any(
            getattr(part, 'reads_base_images', False) for part in self._lacking(experiment).values()
        )

    def is_enough(self, work_dir: WorkDir, inputs: RunInputs) -> bool:
        """Check the network for a run; return whether no later step reads images of step 0.

        Args:
            work_dir: The run's work dir.
            inputs: What the run was begun with.

        Raises:
            InvalidInputError: See :meth:`check` and :meth:`check_same_run`.
        """
        self.check(work_dir.experiment)
        self.check_same_run(work_dir, inputs)
        return not self.needs_images(work_dir.experiment)

    def _lacking(self, experiment: Experiment) -> dict[str, Any]:
        """Return the classes of the method's hooks, by name, of which the file has no state."""
        states = self.checkpoint.method_state
        hooks = (experiment.config['method'].get('hooks') or {}).items()
        return {
            name: part_of(hook['type'], HOOKS)
            for name, hook in hooks
            if hook is not None and name not in states
        }

    def exemplars(self) -> list[dict[str, Any]]:
        """Return ``meta.memory`` of a network of a later step; a step 0 chooses its own."""
        return list(self.checkpoint.meta.get('memory', [])) if self.step else []

    def check(self, experiment: Experiment) -> None:
        """Refuse a network that cannot be step 0 of an experiment.

        Args:
            experiment: The experiment.

        Raises:
            InvalidInputError: It is of a later step, has other classes or another order of them,
                is another network than the config's, or lacks a state that the method reads.
        """
        meta = self.checkpoint.meta
        if experiment.joint:
            raise InvalidInputError(
                f'--start {self.name}: the method {experiment.method!r} learns all classes in '
                'one step, so there is no step to go on with; expected another method'
            )
        if experiment.sources.name == OPEN and meta['step'] and not self._ends(experiment):
            check_first_steps(meta, experiment.describe_protocol(), f'--start {self.name}')
        elif meta['step'] != 0:
            what = 'one of step 0'
            if experiment.sources.name == OPEN:
                what = f'one of the steps 0 to {experiment.num_steps - 2}, so that one is left'
            raise InvalidInputError(
                f'--start {self.name} is the network of step {meta["step"]}, expected {what}'
            )
        else:
            check_classes(meta['classes'], experiment.classes_at(0), f'--start {self.name}')
        for name, part in self._lacking(experiment).items():
            estimated = getattr(part, 'reads_base_images', False) and self.step == 0
            if part.in_base_step and not estimated:
                raise InvalidInputError(
                    f'--start {self.name} holds no state of method.hooks.{name} '
                    f'({part.__name__}), which gathers it while step {self.step} is trained; '
                    f'expected a step {self.step} that was trained with it, or another method than '
                    f'{experiment.method!r}'
                )
        network = MODELS.build(network_config(experiment, self.step))
        load_weights(network, self.checkpoint.state_dict, self.name)

    def _ends(self, experiment: Experiment) -> bool:
        """Say whether the network leaves no step to train."""
        return self.step >= experiment.num_steps - 1

    def check_same_run(self, work_dir: WorkDir, inputs: RunInputs) -> None:
        """Refuse to go on with a run that did not start from this network.

        Args:
            work_dir: The run's work dir.
            inputs: What the run was begun with.

        Raises:
            InvalidInputError: Naming both.
        """
        if not (work_dir.path / CONFIG_FILE).is_file():
            return
        before = inputs.recorded(STARTS).get('0')
        if before is None:
            raise InvalidInputError(
                f'{work_dir.path}: the run there trained its own step 0; pass another --work-dir '
                f'to begin from {self.name}'
            )
        if before != self.digest:
            raise InvalidInputError(
                f'{work_dir.path}: the run there began from another network, not from '
                f'{self.name}; pass --start with its own file, or another --work-dir'
            )

    def as_step(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of the run's ``step_<k>/final.pth``, of the :attr:`step`.

        Args:
            meta: The keys that the run itself gives it.
        """
        digest = self.checkpoint.tensors
        origin = dict(imported_from=self.name, imported_digest=digest)
        own = dict(self.checkpoint.meta, best_iou={}, seconds=0.0)
        return {**self.content, 'meta': {**own, **meta, **origin}}


def recorded_start(work_dir: Path) -> Path | None:
    """Return the ``final.pth`` of a given network in the run that began from it; None for others.

    Args:
        work_dir: The run's folder.

    Raises:
        InvalidInputError: The run began so, but the file is not there (yet).
    """
    stored = read_run_config(work_dir) or {}
    if '0' not in (stored.get(STARTS) or {}):
        return None
    path = work_dir / f'step_{stored[STARTS].get(GIVEN, 0)}' / 'final.pth'
    if not path.is_file():
        raise InvalidInputError(
            f'{work_dir} was begun with --start, but there is no {path}: pass --start again'
        )
    return path
