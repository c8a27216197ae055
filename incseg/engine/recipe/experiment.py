"""An experiment: the protocol, the steps and the classes that a config stands for."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import ConfigDict

from incseg.engine.recipe.names import resolve
from incseg.errors import InvalidInputError
from incseg.evaluation import Ledger
from incseg.protocols import Protocol
from incseg.registry import DATASETS
from incseg.utils.repository import relative_to_library

Config = Mapping[str, Any]


class Experiment:
    """What a config means: its protocol, its steps, the names of its classes.

    Args:
        config: A complete, checked config (see :mod:`incseg.apis.config.loading`).

    Raises:
        InvalidInputError: The data set is not registered, the protocol is not
            one, or a joint method has a memory.

    Attributes:
        config: The config with every ``'$name'`` replaced by the setting that it names.
        raw_config: The config as it was written, as a work dir keeps it and hashes read it.
        protocol: The config's protocol; tables report by it.
        training: The protocol that is trained: the same, or, for a joint
            method, all classes in one step.
        classes: Names in learning order, background first.
        palette: Their colours, ``[r, g, b]``.
    """

    def __init__(self, config: Config):
        self.raw_config = config
        self.config = config = ConfigDict(resolve(dict(config), config))
        train = config['data']['train']
        dataset_class = DATASETS.get(train['type'])
        if dataset_class is None:
            raise InvalidInputError(
                f'data.train.type is {train["type"]!r}, which is not registered'
            )
        metainfo = dataset_class.resolve_metainfo(train.get('metainfo'))
        names, colours = metainfo['classes'], metainfo['palette']
        spec = dict(config['protocol'])
        name = spec.pop('name')
        self.protocol = Protocol.parse(name, len(names) - 1, **spec)
        self.joint = bool(config['method'].get('joint', False))
        memory = config['method'].get('memory')
        if self.joint and isinstance(memory, Mapping) and memory.get('size'):
            raise InvalidInputError(
                f'method.memory is {dict(memory)!r} beside method.joint=True, which shows all '
                'images in one step: nothing is replayed; allowed: None'
            )
        self.training = (
            Protocol(
                len(names) - 1, len(names) - 1, 0, self.protocol.setting, self.protocol.class_order
            )
            if self.joint
            else self.protocol
        )
        order = (0, *self.protocol.class_order)
        self.classes = [str(names[i]) for i in order]
        self.palette = [list(colours[i]) for i in order]
        self._name_of = dict(zip(order, self.classes))

    @property
    def num_steps(self) -> int:
        """How many steps are trained."""
        return self.training.num_steps

    @property
    def method(self) -> str:
        return self.config['method']['name']

    @property
    def seed(self) -> int:
        return self.config['seed']

    @property
    def tf32(self) -> bool:
        """Whether a GPU may round float32 products to 19 bits."""
        return bool(self.config['schedule'].get('tf32', True))

    def names(self, ids: tuple[int, ...]) -> list[str]:
        """Names of dataset ids."""
        return [self._name_of[i] for i in ids]

    def classes_at(self, k: int) -> list[str]:
        """Names of the network's outputs at step ``k``, background first."""
        return self.classes[: 1 + len(self.training.seen(k))]

    def epochs(self, k: int) -> int:
        """Epochs of step ``k``."""
        epochs = self.config['epochs']
        return epochs[min(k, len(epochs) - 1)] if isinstance(epochs, (list, tuple)) else epochs

    def protocol_args(self) -> dict[str, Any]:
        """Arguments of the trained protocol, as plain data for a config."""
        training = self.training
        return dict(
            base=training.base,
            increment=training.increment,
            setting=training.setting,
            class_order=list(training.class_order),
        )

    def describe_protocol(self) -> dict[str, Any]:
        """The protocol as the ledger and the checkpoints describe it."""
        return dict(
            name=self.protocol.name,
            dataset=self.config['data']['name'],
            setting=self.protocol.setting,
            steps=[list(step) for step in self.protocol.steps],
            classes=self.classes,
        )

    def ledger_header(self) -> dict[str, Any]:
        """The head of ``results.json``."""
        return dict(
            config=relative_to_library(getattr(self.raw_config, 'filename', None) or ''),
            method=self.method,
            seed=self.seed,
            protocol=self.describe_protocol(),
        )

    def new_ledger(self) -> Ledger:
        """An empty ledger of this experiment."""
        return Ledger(
            self.ledger_header(),
            self.names(self.protocol.base_classes),
            self.names(self.protocol.added_classes),
        )

    def check_step(self, k: int, what: str = '--steps') -> None:
        """Refuse a step that the experiment does not have."""
        check_step(k, self.num_steps, f'{self.method} {self.protocol.name}', what)


def check_step(k: int, num_steps: int, where: str, what: str = '--step') -> None:
    """Refuse a step that is not there.

    Args:
        k: The step.
        num_steps: How many there are.
        where: What has them, for the message: ``'mib 15-1'``.
        what: How the user said it.

    Raises:
        InvalidInputError: Naming the steps that are allowed.
    """
    if not 0 <= k < num_steps:
        allowed = f'0 to {num_steps - 1}' if num_steps > 1 else '0 alone'
        raise InvalidInputError(
            f'{what} {k} is out of range: {where} has {num_steps} step(s), {allowed}'
        )
