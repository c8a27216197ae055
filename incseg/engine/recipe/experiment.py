"""An experiment: the steps, the classes and the method that a config stands for."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import ConfigDict

from incseg.engine.recipe.names import resolve
from incseg.engine.recipe.open_protocol import OpenProtocol
from incseg.engine.recipe.step_sources import OneDataset, step_sources
from incseg.evaluation import Ledger
from incseg.evaluation.run_settings import model_title
from incseg.models.prediction.settings import test_title
from incseg.protocols import Protocol
from incseg.utils.repository import relative_to_library
from incseg.utils.rules import expected

Config = Mapping[str, Any]


class Experiment:
    """The experiment of a config: its steps and their classes, its method, its seed.

    Args:
        config: A complete, checked config (see :mod:`incseg.apis.config.loading`).

    Raises:
        InvalidInputError: The data set or the type of the protocol is not registered, the
            protocol is not one, or a joint method has a memory.

    Attributes:
        config: The config with every ``'$name'`` replaced by the setting that it names.
        raw_config: The config as it was written, which work dirs store and hashes read.
        sources: The classes of every step, and its data sets.
        joint: Whether one step learns all classes.
        channels_last: The layout that a trial chose (``model.channels_last='auto'``); None before.
    """

    channels_last: bool | None = None

    def __init__(self, config: Config):
        self.raw_config = config
        self.config = config = ConfigDict(resolve(dict(config), config))
        self.joint = bool(config['method'].get('joint', False))
        memory = config['method'].get('memory')
        if self.joint and isinstance(memory, Mapping) and memory.get('size'):
            raise expected('method.memory', dict(memory), 'None: method.joint=True replays nothing')
        self.sources = step_sources(config)
        replays = isinstance(memory, Mapping) and memory.get('size')
        if replays and not isinstance(self.sources, OpenProtocol):
            self._one_dataset()  # nobody knows what images of another source annotate

    @property
    def num_steps(self) -> int:
        """The number of steps that are trained."""
        return self.sources.num_steps

    @property
    def protocol(self) -> Protocol:
        """The protocol that cuts the one data set; tables report by it."""
        return self._one_dataset().protocol

    @property
    def training_protocol(self) -> Protocol:
        """The protocol that is trained: :attr:`protocol`, or all classes in one step (joint)."""
        return self._one_dataset().training

    @property
    def training(self) -> Protocol:
        """The old name of :attr:`training_protocol`."""
        warnings.warn('Experiment.training is now training_protocol', DeprecationWarning)
        return self.training_protocol

    @property
    def classes(self) -> list[str]:
        """The names of all classes of the one data set in learning order, background first."""
        return self._one_dataset().all_classes

    @property
    def palette(self) -> list[list[int]]:
        """The colours of :attr:`classes`, ``[r, g, b]`` each."""
        return self._one_dataset().all_colours

    def _one_dataset(self) -> OneDataset:
        if not isinstance(self.sources, OneDataset):
            raise expected(
                'protocol.type' if 'type' in self.config['protocol'] else 'protocol.name',
                self.config['protocol'].get('type', self.sources.name),
                'OneDataset: a part of the config needs one data set for all steps'
                if 'type' in self.config['protocol']
                else "a protocol of one data set, as '15-1': a part of the config needs it",
            )
        return self.sources

    @property
    def method(self) -> str:
        """The name of the method, such as ``'mib'``."""
        return self.config['method']['name']

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.config['seed']

    @property
    def tf32(self) -> bool:
        """Whether a GPU may round the factors of float32 products to 19 bits (TF32)."""
        return bool(self.config['schedule'].get('tf32', True))

    @property
    def deterministic(self) -> bool:
        """Whether a GPU uses deterministic algorithms alone, so that a training repeats."""
        return bool(self.config['schedule'].get('deterministic', False))

    def names(self, ids: Sequence[int]) -> list[str]:
        """Return the class names of dataset ids, in their order."""
        return self._one_dataset().names(ids)

    def classes_at(self, k: int) -> list[str]:
        """Return the names of all classes learned up to step ``k``, background first."""
        return self.sources.classes(k)

    def epochs(self, k: int) -> int:
        """Return the number of epochs that step ``k`` is trained.

        Where the config has a list, its last entry counts for all further steps.
        """
        epochs = self.config['epochs']
        return epochs[min(k, len(epochs) - 1)] if isinstance(epochs, (list, tuple)) else epochs

    def describe_protocol(self, k: int | None = None) -> dict[str, Any]:
        """Return the protocol as the ledger, or the checkpoint of step ``k``, describes it.

        See :meth:`StepSources.describe`.  All steps are described if ``k`` is None or no step of
        the experiment.
        """
        known = k is not None and 0 <= k < self.num_steps
        return self.sources.describe(k if known else None)

    def ledger_header(self) -> dict[str, Any]:
        """Return the entries of ``results.json`` that stand before those of the steps."""
        model, test = model_title(self.config), test_title(self.config)
        return dict(
            config=relative_to_library(getattr(self.raw_config, 'filename', None) or ''),
            method=self.method,
            seed=self.seed,
            protocol=self.describe_protocol(),
            **({'model': model} if model else {}),
            **({'test': test} if test else {}),
        )

    def new_ledger(self) -> Ledger:
        """Return an empty ledger of this experiment."""
        return Ledger(self.ledger_header(), *self.sources.reported())

    def check_step(self, k: int, what: str = '--steps') -> None:
        """Refuse a step that the experiment does not have.

        Args:
            k: Number of the step.
            what: How the user said it, for the message.

        Raises:
            InvalidInputError: Naming the steps that are allowed.
        """
        check_step(k, self.num_steps, f'{self.method} {self.sources.name}', what)


def check_step(k: int, num_steps: int, where: str, what: str = '--step') -> None:
    """Refuse a step that is not there.

    Args:
        k: Number of the step.
        num_steps: How many steps there are.
        where: The experiment, for the message: ``'mib 15-1'``.
        what: How the user said it, for the message.

    Raises:
        InvalidInputError: Naming the steps that are allowed.
    """
    if not 0 <= k < num_steps:
        allowed = f'0 to {num_steps - 1}' if num_steps > 1 else '0'
        raise expected(what, k, f'{allowed}: {where} has {num_steps} step(s)')
