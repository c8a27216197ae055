"""The steps of an open protocol as a config declares them: read, and checked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incseg.datasets.class_subset import declared_metainfo
from incseg.datasets.label_maps import colour_map
from incseg.engine.recipe.step_sources import AWAY
from incseg.errors import InvalidInputError
from incseg.protocols import Source, Step
from incseg.protocols.step_plan import IMAGES
from incseg.registry import DATASETS, part_of
from incseg.utils.rules import (
    SWITCH,
    any_of,
    check_keys,
    checked,
    expected,
    is_number,
    one_of,
    similar,
)
from incseg.utils.signatures import arguments

#: names that can stand in dotted keys and in file names
STEP_NAME = re.compile('[^\\W_][\\w-]*')


@dataclass(frozen=True)
class DeclaredStep:
    """A step of an open protocol as the config declares it.

    Attributes:
        step: The step of the plan.
        train: Config of the data set that it is learned from; None if it is out of reach.
        test: Config of its test images; None if there are none, or they are out of reach.
        test_annotates: Names of the classes of the test images, by dataset id from 1.
        colours: Colours of the new classes.
    """

    step: Step
    train: dict[str, Any] | None
    test: dict[str, Any] | None
    test_annotates: tuple[str, ...]
    colours: list[list[int]]


def declared_steps(steps: Any, data: Mapping[str, Any]) -> list[DeclaredStep]:
    """Read the steps of an open protocol.

    Args:
        steps: ``protocol.steps`` of a config, its names resolved.
        data: The section ``data``, whose data set serves steps without one of their own.

    Returns:
        The steps in their order.

    Raises:
        InvalidInputError: Naming the first key that is missing, unknown or not allowed.
    """
    if not isinstance(steps, Mapping) or not steps:
        raise expected('protocol.steps', steps, 'a dict of one or more steps by name')
    made: list[DeclaredStep] = []
    for name, step in steps.items():
        if not isinstance(name, str) or not STEP_NAME.fullmatch(name) or name == 'type':
            raise expected(
                'the name of a step in protocol.steps',
                name,
                "letters, digits, '_' and '-', not type",
            )
        made.append(declared_step(name, step, data, made))
    return made


def declared_step(
    name: str, step: Any, data: Mapping[str, Any], earlier: Sequence[DeclaredStep]
) -> DeclaredStep:
    """Read one step, and find out what its images annotate.

    Args:
        name: The name of the step.
        step: Its value in the config.
        data: The section ``data``.
        earlier: The steps before it.
    """
    key = f'protocol.steps.{name}'
    if isinstance(step, Mapping) and step.get('labels') is not None:
        raise expected(
            f'{key}.labels',
            dict(step['labels']),
            'no such key: a step of an open protocol learns from masks; incseg teach --labels '
            'makes label maps from labels of images',
        )
    check_keys(key, step, ('classes',), ('data', 'old_labels', 'images', AWAY))
    if step.get(AWAY) is not None:
        check_keys(f'{key}.{AWAY}', step[AWAY], ('train', 'test'))
    own = 'data' in step
    train, test = data_sets(key, step, data)
    new = class_names(f'{key}.classes', step['classes'])
    if train is None:
        annotates, palette = tuple(new), [list(each) for each in colour_map(len(new) + 1)]
    else:
        annotates, palette = declared_classes(f'{key}.data.train', train)
    for each in new:
        check_annotated(f'a class of {key}.classes', each, annotates, train)
    tested = () if test is None else declared_classes(f'{key}.data.test', test)[0]
    if test is not None and not {*tested} & {*new}:
        raise expected(
            f'classes of {key}.data.test', list(tested), f'some of {any_of(new)}, to test them'
        )
    check_new(key, new, earlier)
    source = source_of(name if own else str(data['name']), train, annotates, earlier)
    old_labels = checked(f'{key}.old_labels', step.get('old_labels', own), SWITCH)
    images = step.get('images', 'all' if own else 'overlap')
    checked(f'{key}.images', images, one_of(*IMAGES))
    colours = [palette[1 + annotates.index(each)] for each in new]
    made = Step(name, tuple(new), source, old_labels, images)
    return DeclaredStep(made, train, test, tested, colours)


def check_new(key: str, new: Sequence[str], earlier: Sequence[DeclaredStep]) -> None:
    """Refuse a class that an earlier step learns.

    Args:
        key: The step's dotted key, for errors.
        new: Names of its classes.
        earlier: The steps before it.
    """
    for each in new:
        for other in earlier:
            if each in other.step.new:
                raise InvalidInputError(
                    f'{key}.classes has {each!r}, which step {other.step.name!r} learns '
                    'already; expected each class once'
                )


def source_of(
    name: str,
    train: Mapping[str, Any] | None,
    annotates: tuple[str, ...],
    earlier: Sequence[DeclaredStep],
) -> Source:
    """Return the source of a step; steps with equal data sets share it.

    Args:
        name: Its name, if it is a new one.
        train: Config of the training images; None if they are out of reach.
        annotates: Names of the classes of the images.
        earlier: The steps before it.
    """
    for other in earlier:
        if train is not None and other.train == train:
            return other.step.source
    return Source(name, annotates)


def data_sets(
    key: str, step: Mapping[str, Any], data: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the configs of a step's training and test images; None for images out of reach.

    Args:
        key: The step's dotted key, for errors.
        step: The step's value in the config.
        data: The section ``data``, which serves a step without data of its own.
    """
    if 'data' not in step:
        return dict(data['train']), dict(data['test'])
    own = step['data']
    if own is None:
        return None, None
    check_keys(f'{key}.data', own, ('train', 'test'))
    train, test = own['train'], own['test']
    check_data_set(f'{key}.data.train', train)
    if 'masks' in train and train['masks'] is None:
        raise expected(
            f'{key}.data.train.masks',
            None,
            'a folder of masks: a step of an open protocol learns from masks',
        )
    if test is None or isinstance(test, Mapping):
        if test is not None:
            check_data_set(f'{key}.data.test', test)
        return dict(train), None if test is None else dict(test)
    if not (is_number(test) and 0 < test < 1):
        raise expected(
            f'{key}.data.test',
            test,
            'a data set, a share of the images above 0 and below 1, or None',
        )
    if 'held_out' not in (arguments(part_of(train['type'], DATASETS)) or ()):
        raise expected(
            f'{key}.data.test',
            test,
            f'a data set: {train["type"]} holds no share out, FolderDataset does',
        )
    return dict(train, held_out=test), dict(train, held_out=test, split='val')


def class_names(key: str, names: Any) -> list[str]:
    """Return the names of a step's classes, once they are a list of different names.

    Args:
        key: The dotted key, for errors.
        names: Its value.

    Raises:
        InvalidInputError: Naming the key.
    """
    listed = isinstance(names, list | tuple) and len(names) > 0
    if not listed or not all(isinstance(each, str) and each for each in names):
        raise expected(key, names, 'a list of one or more names')
    for i, each in enumerate(names):
        if each == 'background' or each in names[:i]:
            raise expected(key, list(names), 'different names without background')
    return list(names)


def check_data_set(key: str, part: Any) -> None:
    """Refuse what is no config of a registered data set.

    Args:
        key: The dotted key, for errors.
        part: Its value.
    """
    if not isinstance(part, Mapping) or part_of(part.get('type'), DATASETS) is None:
        raise expected(key, part, 'dict(type=…) of a registered data set')


def declared_classes(key: str, part: Mapping[str, Any]) -> tuple[tuple[str, ...], list[Any]]:
    """Return the names of a data set's classes without background, and its palette.

    Args:
        key: The dotted key, for errors.
        part: The config of the data set.

    Raises:
        InvalidInputError: It does not say its classes.
    """
    try:
        metainfo = declared_metainfo(part_of(part['type'], DATASETS), part)
    except InvalidInputError as error:
        raise InvalidInputError(f'{key}: {error}') from None
    names = tuple(str(each) for each in metainfo['classes'])
    return names[1:], [list(each) for each in metainfo['palette']]


def check_annotated(
    key: str, name: str, annotates: Sequence[str], train: Mapping[str, Any] | None
) -> None:
    """Refuse a class that a step's images do not annotate; name the nearest one.

    Args:
        key: What has the class, for the message.
        name: The class.
        annotates: Names of the classes of the step's data set.
        train: Config of the data set.
    """
    if name in annotates:
        return
    close = similar(name, annotates)
    hint = f'did you mean {close!r}?' if close else f'the names are {any_of(annotates)}'
    kind = 'its data set' if train is None else train['type']
    raise expected(key, name, f'a class of {kind}; {hint}')
