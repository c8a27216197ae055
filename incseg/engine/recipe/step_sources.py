"""The classes of every step, and the data sets that they are learned from and tested on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incseg.datasets.class_subset import declared_metainfo
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from incseg.registry import DATASETS, STEP_SOURCES, part_of
from incseg.utils.rules import any_of, expected, similar

#: the name of a protocol whose steps are written out
OPEN = 'open'
#: the key of a step with ``data=None``: its data sets, as they were when they were in reach
AWAY = 'away'


@dataclass(frozen=True)
class SourceTest:
    """Test images of one source.

    Attributes:
        name: The name of the source's step.
        arguments: ``dataset``, ``protocol`` and maybe ``metainfo`` of an
            :class:`IncrementalDataset`.
        annotates: Names of the classes that its labels show wherever they occur.
        home_of: Names of the classes that are scored on it, maybe with the background.
    """

    name: str
    arguments: dict[str, Any]
    annotates: tuple[str, ...]
    home_of: list[str]


class StepSources(ABC):
    """The classes of every step, and the data sets that they are learned from and tested on.

    The engine asks this object for all of them, so that nobody needs the classes of a later step
    before it begins.  A subclass, registered in ``STEP_SOURCES``, is named by ``protocol.type``;
    the other keys of ``protocol`` are its arguments.  In all methods ``k`` is the number of a
    step, from 0.

    Args:
        config: The resolved config of the experiment.

    Attributes:
        name: The name of the protocol, as the ledger shows it, such as ``'15-1'``.
        setting: The protocol's setting, such as ``'overlap'``.
        num_steps: The number of steps that are trained.
    """

    name: str
    setting: str
    num_steps: int

    def __init__(self, config: Mapping[str, Any]):
        self.config = config

    @abstractmethod
    def classes(self, k: int) -> list[str]:
        """Return the names of all classes learned up to step ``k``, background first."""

    @abstractmethod
    def palette(self, k: int) -> list[list[int]]:
        """Return the colours of :meth:`classes`, ``[r, g, b]`` each."""

    @abstractmethod
    def outputs_per_step(self, k: int) -> Sequence[int]:
        """Return how many outputs the classifier gets at each of the steps 0 to ``k``.

        The first number includes the background.
        """

    @abstractmethod
    def data(self, k: int, mode: str) -> dict[str, Any]:
        """Return the config of the data set that step ``k`` is trained or tested on.

        Args:
            k: Number of the step.
            mode: ``'train'`` or ``'test'``.
        """

    @abstractmethod
    def labelling(self, k: int) -> dict[str, Any]:
        """Return what an :class:`IncrementalDataset` of step ``k`` needs to know, as plain data.

        Its key ``protocol`` chooses images and gives the tables from the dataset ids of
        :meth:`data` to train ids; ``metainfo`` may name the classes of the tables.
        """

    @abstractmethod
    def describe(self, k: int | None = None) -> dict[str, Any]:
        """Return the protocol as a checkpoint of step ``k`` and the ledger describe it.

        Args:
            k: Number of the step; None for all steps that are known.

        Returns:
            ``{name, dataset, setting, steps, classes}``: ``steps`` has a list of classes per step,
            ``classes`` the names in learning order, background first.
        """

    def test_parts(self, k: int) -> list[SourceTest]:
        """Return the test images of step ``k``, by source; here one source that has all classes."""
        names = self.classes(k)
        arguments = dict(dataset=self.data(k, 'test'), **self.labelling(k))
        return [SourceTest('test', arguments, tuple(names[1:]), names)]

    def has_test(self, k: int) -> bool:
        """Say whether step ``k`` has test images of its own, here or those of all steps."""
        return True

    def one_home(self, k: int) -> bool:
        """Say whether one part of the test images of step ``k`` has all its classes."""
        parts = self.test_parts(k)
        return len(parts) == 1 and {*parts[0].home_of} == {*self.classes(k)}

    def ledger_sources(self, data: Mapping[str, str]) -> dict[str, Any]:
        """Return keys to add to the ledger's ``protocol``; empty where one data set serves all.

        Args:
            data: The fingerprints of the images of each step, by step as text.
        """
        return {}

    def new(self, k: int) -> list[str]:
        """Return the names of the classes that step ``k`` adds."""
        return self.classes(k)[1 + len(self.old(k)) :]

    def old(self, k: int) -> list[str]:
        """Return the names of the classes of all steps before ``k``; the background is not one."""
        return self.classes(k - 1)[1:] if k else []

    def reported(self) -> tuple[list[str], list[str]]:
        """Return two lists of class names, by which tables report results.

        They are the classes of step 0 and those of all later steps, each without background.
        """
        everything = self.classes(self.num_steps - 1)
        base = len(self.classes(0))
        return everything[1:base], everything[base:]

    def identity(self) -> Any:
        """Return plain data that tells apart two sources whose step 0 has different results.

        None where the config's ``data`` and ``protocol`` say it all.
        """
        return self.data(0, 'train')

    def remark(self) -> str | None:
        """Return a line to print before the first step, or None."""
        return None


@STEP_SOURCES.register_module()
class OneDataset(StepSources):
    """One data set, cut into steps by a :class:`Protocol`.

    Args:
        config: The resolved config of the experiment; ``data`` is the data set.
        name: The name of the protocol: ``'15-1'`` or ``'offline'``.
        kwargs: ``setting`` and ``class_order`` of :class:`Protocol`; the order may name classes.

    Raises:
        InvalidInputError: The data set is not registered, or the protocol is not one.

    Attributes:
        protocol: The protocol that tables report.
        training: The protocol that is trained: the same, or all classes in one step for a joint
            method.
    """

    def __init__(self, config: Mapping[str, Any], name: str, **kwargs: Any):
        super().__init__(config)
        train = config['data']['train']
        dataset_class = part_of(train['type'], DATASETS)
        if dataset_class is None:
            raise expected('data.train.type', train['type'], 'a registered data set')
        try:
            metainfo = declared_metainfo(dataset_class, train)
        except InvalidInputError as error:
            raise InvalidInputError(f'data.train: {error}') from None
        count = len(metainfo['classes']) - 1
        order = kwargs.get('class_order')
        if isinstance(order, str):
            raise expected('protocol.class_order', order, 'a list of all classes: names, or ids')
        if isinstance(order, Sequence):
            kwargs['class_order'] = class_ids(order, metainfo['classes'])
        if kwargs.pop('steps', None) is not None:
            raise expected('protocol.name', name, f'{OPEN!r}, as there are protocol.steps')
        try:
            self.protocol = self.training = Protocol.parse(name, count, **kwargs)
        except InvalidInputError as error:
            text = str(error)
            prefix = '' if text.startswith('protocol') else f'protocol {name!r}: '
            raise InvalidInputError(f'{prefix}{text}') from None
        if config['method'].get('joint', False):
            order = self.protocol.class_order
            self.training = Protocol(count, count, 0, self.protocol.setting, order)
        self.name, self.setting = self.protocol.name, self.protocol.setting
        self.num_steps = self.training.num_steps
        order = (0, *self.protocol.class_order)
        self.all_classes = [str(metainfo['classes'][i]) for i in order]
        self.all_colours = [list(metainfo['palette'][i]) for i in order]
        self._name_of = dict(zip(order, self.all_classes))

    def names(self, ids: Sequence[int]) -> list[str]:
        """Return the class names of dataset ids, in their order."""
        return [self._name_of[i] for i in ids]

    def classes(self, k: int) -> list[str]:
        return self.all_classes[: 1 + len(self.training.seen(k))]

    def palette(self, k: int) -> list[list[int]]:
        return self.all_colours[: 1 + len(self.training.seen(k))]

    def outputs_per_step(self, k: int) -> Sequence[int]:
        return self.training.outputs_per_step(k)

    def data(self, k: int, mode: str) -> dict[str, Any]:
        return dict(self.config['data'][mode])

    def labelling(self, k: int) -> dict[str, Any]:
        training = self.training
        arguments = dict(
            base=training.base,
            increment=training.increment,
            setting=training.setting,
            class_order=list(training.class_order),
        )
        return dict(protocol=arguments)

    def describe(self, k: int | None = None) -> dict[str, Any]:
        future = self.config['data'].get('future')
        return dict(
            name=self.name,
            dataset=self.config['data']['name'],
            setting=self.setting,
            steps=[list(step) for step in self.protocol.steps],
            classes=self.all_classes,
            **({} if future is None else {'future': future}),
        )

    def reported(self) -> tuple[list[str], list[str]]:
        protocol = self.protocol
        return self.names(protocol.base_classes), self.names(protocol.added_classes)

    def identity(self) -> Any:
        return None

    def remark(self) -> str | None:
        training = self.training
        if not training.remainder:
            return None
        return (
            f'{training.name} of {training.num_classes} classes: the last step has '
            f'{training.remainder}, what is left'
        )


def class_ids(order: Sequence[Any], classes: Sequence[str]) -> list[Any]:
    """Return an order of classes with the dataset id in place of every class's name.

    Args:
        order: Dataset ids and names.
        classes: All names, background first.

    Raises:
        InvalidInputError: No class has that name.
    """
    names = list(classes)[1:]
    for each in order:
        if isinstance(each, str) and each not in names:
            close = similar(each, names)
            hint = f'did you mean {close!r}?' if close else f'the names are {any_of(names)}'
            what = f'the dataset ids 1 to {len(names)} or the names of the classes; {hint}'
            raise expected('a class of protocol.class_order', each, what)
    return [1 + names.index(each) if isinstance(each, str) else each for each in order]


def step_sources(config: Mapping[str, Any]) -> StepSources:
    """Build the :class:`StepSources` of an experiment.

    Args:
        config: The resolved config; without ``protocol.type`` it is :class:`OneDataset`.

    Raises:
        InvalidInputError: The type is not registered, or its arguments are not allowed.
    """
    arguments = dict(config['protocol'])
    kind = arguments.pop('type', 'OpenProtocol' if arguments.get('name') == OPEN else 'OneDataset')
    sources = part_of(kind, STEP_SOURCES) if isinstance(kind, str) else None
    if sources is None:
        raise expected('protocol.type', kind, 'a registered type (custom_imports missing?)')
    built: StepSources = sources(config, **arguments)
    return built
