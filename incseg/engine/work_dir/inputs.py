"""Everything that a run was begun with, as fingerprints, and the refusal of anything else."""

from collections.abc import Mapping, Sequence
from typing import Any

from incseg.engine.checkpoint import StepCheckpoint
from incseg.engine.labels import fingerprint_of
from incseg.engine.work_dir.config import write_run_config
from incseg.engine.work_dir.files import STEP_FILES, WorkDir
from incseg.errors import InvalidInputError
from incseg.evaluation import Ledger
from incseg.evaluation.run_settings import DATA, GIVEN, LABELS, LAYOUT, STARTS, read_run_config
from incseg.registry import DATASETS
from incseg.utils.rules import expected


class RunInputs:
    """The fingerprints of a run's images, labels and networks, kept in its ``config.json``.

    Args:
        work_dir: The run's work dir.
    """

    def __init__(self, work_dir: WorkDir):
        self.work_dir = work_dir
        self._lengths: dict[str, int] = {}  # of test data sets, by config

    def fingerprints(self, labels: Sequence[Any], datasets: Mapping[int, Any]) -> dict[str, str]:
        """Return a fingerprint of the images and masks of each step and of its test.

        Args:
            labels: The :class:`StepLabels` of all steps.
            datasets: What their ``build`` returned, by step.

        Returns:
            The fingerprints, by step as text.
        """
        experiment, tests, found = self.work_dir.experiment, {}, {}
        for k, dataset in datasets.items():
            parts = [part.arguments['dataset'] for part in experiment.sources.test_parts(k)]
            for test in parts:
                if repr(test) not in tests:
                    built = DATASETS.build(dict(test))
                    tests[repr(test)] = fingerprint_of(built)
                    self._lengths[repr(test)] = len(built)
            tested = '+'.join(tests[repr(test)] for test in parts)
            found[str(k)] = f'{labels[k].fingerprint(dataset)}-{tested}'
        return found

    def tested(self, k: int) -> dict[str, int | None]:
        """Return the number of test images of step ``k`` by the name of their source.

        None for a source of which :meth:`fingerprints` had no step.
        """
        parts = self.work_dir.experiment.sources.test_parts(k)
        return {part.name: self._lengths.get(repr(part.arguments['dataset'])) for part in parts}

    def recorded(self, kind: str) -> dict[str, Any]:
        """Return the fingerprints of one kind in ``config.json``, by step as text.

        Args:
            kind: ``LABELS`` (image-level labels), ``DATA`` (images and masks), ``STARTS`` (the
                networks that steps began from) or ``LAYOUT`` (what :meth:`write_layout` wrote)
                of :mod:`incseg.evaluation.run_settings`.

        Returns:
            The fingerprints; empty if nothing is recorded.
        """
        return (read_run_config(self.work_dir.path) or {}).get(kind) or {}

    def check(self, labels: Mapping[str, str], data: Mapping[str, str], ledger: Ledger) -> None:
        """Refuse to go on with steps whose images, masks, image-level labels or network changed.

        The first process alone calls this, before anything is removed.

        Args:
            labels: The fingerprints of the image-level labels now, by step as text.
            data: The fingerprints of the images and masks, likewise.
            ledger: The run's ledger, which holds the digests of the networks.

        Raises:
            InvalidInputError: Naming the step, or the file that is damaged.
        """
        if not self.work_dir.resume:
            return
        for kind, now in ((LABELS, labels), (DATA, data)):
            recorded = self.recorded(kind)
            for k, value in now.items():
                before = recorded.get(k, value)
                if before == value or not self._keeps(int(k)):
                    continue
                what = 'image-level labels'
                if kind == DATA:  # of training and test, see fingerprints
                    same = before.partition('-')[0] == value.partition('-')[0]
                    what = f'{"test" if same else "training"} images or masks'
                raise InvalidInputError(
                    f'{self.work_dir.path}: the {what} of step {k} are others than those that it '
                    f'was begun with; put them back, or pass --redo-from {k} or another --work-dir'
                )
        self._check_networks(ledger)

    def _keeps(self, k: int) -> bool:
        """Say whether a part of an earlier training of step ``k`` stays in this run."""
        there = any((self.work_dir.step(k) / name).is_file() for name in STEP_FILES)
        return there and not self.work_dir.redoes(k)

    def _check_networks(self, ledger: Ledger) -> None:
        """Read every network that stays in this run, and compare it with the ledger."""
        before = None
        for k in range(self.work_dir.experiment.num_steps):
            known = None
            if not self.work_dir.redoes(k) and self.work_dir.checkpoint(k).is_file():
                checkpoint = self.work_dir.read(k)
                self.check_network(checkpoint, ledger.step(k))
                self._check_training(checkpoint)
                known, parent = checkpoint.tensors, checkpoint.meta.get('previous')
                checkpoint.release()
                if before is not None and parent not in (None, before):
                    raise InvalidInputError(
                        f'{checkpoint} was trained from another network than that of step {k - 1} '
                        f'is now: put that file back, or pass --redo-from {k}'
                    )
            before = known

    def _check_training(self, checkpoint: StepCheckpoint) -> None:
        """Refuse a network that was trained with another seed, or on other data, than this run."""
        config = self.work_dir.experiment.config
        theirs = (checkpoint.config or {}).get('seed', config['seed'])
        if theirs != config['seed']:
            raise expected(f'seed of the network in {checkpoint}', theirs, str(config['seed']))

    @staticmethod
    def check_network(checkpoint: StepCheckpoint, entry: Mapping[str, Any] | None) -> None:
        """Refuse a network that is not the one whose scores the ledger holds.

        Args:
            checkpoint: The network of a step.
            entry: The step's entry in the ledger; None, or one of incseg 0.1, has no digest
                and is not compared.

        Raises:
            InvalidInputError: Its weights have another digest than the entry records.
        """
        if entry is not None and entry.get('network', checkpoint.digest) != checkpoint.digest:
            raise InvalidInputError(
                f'{checkpoint} is not the network whose numbers stand in {Ledger.FILE}: put the '
                f'file back, or pass --redo-from {entry["step"]}'
            )

    def check_continued(self, k: int, previous: StepCheckpoint | None) -> None:
        """Refuse to go on with an interrupted step ``k`` that began from another network.

        Else ``config.json`` records the network.  The first process alone calls this.

        Args:
            k: The step.
            previous: The checkpoint of step ``k - 1``; None at step 0, which is not checked.

        Raises:
            InvalidInputError: If step ``k`` began from another network.
        """
        if previous is None:
            return
        before = self.recorded(STARTS).get(str(k), previous.digest)
        if before != previous.digest and self.work_dir.interrupted(k) is not None:
            raise InvalidInputError(
                f'step {k} was begun from another network than {previous} is now: put that file '
                f'back, or pass --redo-from {k}'
            )
        self._write({STARTS: {str(k): previous.digest}})

    def write(self, labels: Mapping[str, str], data: Mapping[str, str], start: Any = None) -> None:
        """Write the complete config and the fingerprints of a run's inputs to ``config.json``.

        Args:
            labels: Fingerprints of the labels, by step as text.
            data: Fingerprints of the images and masks, likewise.
            start: The network that takes the place of the first steps, with its ``digest`` and
                ``step``; None for none.
        """
        starts = {} if start is None else {STARTS: {'0': start.digest}}
        if start is not None and start.step:
            starts[STARTS][GIVEN] = start.step
        self._write({LABELS: labels, DATA: data, **starts})

    def write_layout(self, layout: Mapping[str, Any]) -> None:
        """Write to ``config.json`` the layout that was chosen, which a resumed run keeps."""
        self._write({LAYOUT: layout})

    def _write(self, new: Mapping[str, Mapping[str, Any]]) -> None:
        config: dict[str, Any] = dict(self.work_dir.experiment.raw_config)
        for kind in (LABELS, DATA, STARTS, LAYOUT):
            if known := {**self.recorded(kind), **new.get(kind, {})}:
                config[kind] = known
        write_run_config(config, self.work_dir.path)
