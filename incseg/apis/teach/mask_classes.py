"""Which values of the masks stand for which classes."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from incseg.constants import VOID
from incseg.datasets.folders.mask_values import Value, totals, values_of_masks
from incseg.errors import InvalidInputError
from incseg.utils.rules import any_of, expected

#: what happens to mask values that stand for no class that was named
OTHERS = ('known', 'background', 'void')


@dataclass(frozen=True)
class NamedClasses:
    """The classes that a user names, and what the user says of their values.

    Attributes:
        new: Names that the model does not know, in the order of their outputs.
        old: Names that it knows, which the masks annotate too.
        values: The value of each name in the masks: an id, a colour, a category; or None.
    """

    new: tuple[str, ...]
    old: tuple[str, ...]
    values: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """All names: the new ones first."""
        return self.new + self.old


@dataclass
class MaskClasses:
    """The values of the masks and what they mean.

    Attributes:
        ids: The argument ``ids`` of :class:`FolderDataset`: every value by name.
        classes: The names that are learned or labelled.
        others: ``'background'`` or ``'void'``: what the other names of ``ids`` become.
        told: A line for the user.
    """

    ids: dict[str, Any]
    classes: tuple[str, ...]
    others: str = 'background'
    told: str = field(default='')


def named_classes(classes: Sequence[str] | Mapping[str, Any], known: Sequence[str]) -> NamedClasses:
    """Read the names of classes, each maybe with its value: ``['horse', 'cow=2']``.

    Args:
        classes: Names, or names with their values (a number, ``'R,G,B'``, ``'#rrggbb'``, or a
            category of a JSON file), or a dict of names with values.
        known: Names of the classes that the model knows.

    Raises:
        InvalidInputError: There is no new name, or a name is empty, ``'background'`` or there
            twice.
    """
    if isinstance(classes, str) or not classes:
        raise expected('--classes', classes, 'one or more names, as horse or horse=1')
    pairs = classes.items() if isinstance(classes, Mapping) else [_pair(each) for each in classes]
    values: dict[str, Any] = {}
    for name, value in pairs:
        if not isinstance(name, str) or not name.strip() or name in ('background', 'void'):
            raise expected('a name in --classes', name, 'the name of a class, as horse or horse=1')
        if name == 'type' or re.fullmatch(r'_.*_|\$.*', name):
            raise expected('a name in --classes', name, 'another name: in a config it means more')
        if name in values:
            raise expected('--classes', name, 'each name once')
        values[name] = _value(name, value)
    new = tuple(name for name in values if name not in known)
    if not new:
        raise expected(
            '--classes',
            ' '.join(values),
            f'a class the model does not know; it knows {", ".join(known)}',
        )
    for name in new:
        close = next((each for each in known if each.lower() == name.strip().lower()), None)
        if close is not None:
            raise expected('--classes', name, f'another name: the model knows {close!r}')
    old = tuple(name for name in values if name in known)
    if lacking := [name for name in old if values[name] is None]:
        raise InvalidInputError(
            f'--classes has {lacking[0]!r}, which the model knows; if the masks annotate it too, '
            f'say its value: --classes {" ".join(new)} {lacking[0]}=VALUE'
        )
    return NamedClasses(new, old, values)


def _pair(text: Any) -> tuple[str, Any]:
    if not isinstance(text, str):
        raise expected('a name in --classes', text, 'text, as horse or horse=1')
    name, equals, value = text.partition('=')
    return name, value if equals else None


def _value(name: str, value: Any) -> Any:
    """Return an id, a colour as a list, or text."""
    if value is None or isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, list | tuple):
        return list(value)
    text = str(value).strip()
    if re.fullmatch('[0-9]{1,3}', text):
        return int(text)
    if re.fullmatch('[0-9]{1,3}(,[0-9]{1,3}){2}', text):
        return [int(each) for each in text.split(',')]
    if re.fullmatch('#[0-9a-fA-F]{6}', text):
        return [int(text[i : i + 2], 16) for i in (1, 3, 5)]
    if not text:
        raise expected(f'the value of {name!r} in --classes', value, 'a value, as horse=1')
    return text


def classes_of_masks(
    named: NamedClasses, masks: Sequence[str], others: str = 'known'
) -> MaskClasses:
    """Find out what the values of masks mean; every mask is read.

    Args:
        named: The classes that the user names.
        masks: The files.
        others: What happens to values of no named class: ``'known'`` refuses them,
            ``'background'`` and ``'void'`` take them for that.

    Raises:
        InvalidInputError: A value is of no class, a class has no pixel, or nobody says which value
            the class has.
    """
    if others not in OTHERS:
        raise expected('--others', others, any_of(OTHERS))
    said = any(isinstance(value, list) for value in named.values.values())
    by_mask, coloured = values_of_masks(masks, said or None)
    empty: Value = (0, 0, 0) if coloured else 0
    void: Value = (-1, -1, -1) if coloured else VOID
    counts = totals(by_mask)
    given = {name: _hashable(v) for name, v in named.values.items() if v is not None}
    neither = {empty, void} - {*given.values()}
    free = [value for value in counts if value not in neither and value not in given.values()]
    ids = dict(given)
    lacking = [name for name in named.new if name not in given]
    if lacking:
        ids[lacking[0]] = _the_one(lacking, free, masks, by_mask, counts, void, coloured)
        free.remove(ids[lacking[0]])
    for name in named.names:
        if ids[name] not in counts:
            raise InvalidInputError(
                f'no mask has the value {shown(ids[name])} of {name!r}; the masks hold '
                f'{listed_values(counts)}'
            )
    if free and others == 'known':
        where = first_with(free[0], masks, by_mask)
        raise InvalidInputError(
            f'{where} holds the value {shown(free[0])}, which is of no class; expected its name, '
            f'as --classes … NAME={shown(free[0])}, or --others background, or --others void'
        )
    if empty in ids.values() and not free:
        raise InvalidInputError(
            f'--classes gives {shown(empty)} to a class, and no value is left for the background; '
            f'the masks hold {listed_values(counts)}'
        )
    mapping = {name: _plain(ids[name]) for name in named.names}
    mapping |= {f'other {shown(value)}': _plain(value) for value in free}
    return MaskClasses(mapping, named.names, 'background' if others == 'known' else others)


def _the_one(
    lacking: Sequence[str],
    free: Sequence[Value],
    masks: Sequence[str],
    by_mask: Sequence[Mapping[Value, int]],
    counts: Mapping[Value, Any],
    void: Value,
    coloured: bool,
) -> Value:
    """Return the value of the one class whose value nobody said."""
    if len(lacking) > 1:
        example = ' '.join(f'{name}={i}' for i, name in enumerate(lacking, 1))
        raise InvalidInputError(
            f'--classes has {len(lacking)} classes without a value, and the masks hold '
            f'{listed_values(counts)}; expected --classes {example}'
        )
    if len(free) == 1:
        return free[0]
    name = lacking[0]
    if not free:
        held = listed_values(counts)
        if void in counts:
            raise InvalidInputError(
                f'masks hold only {held} (255 is void); if 255 is the class: '
                f'--classes {name}={shown(void)}'
            )
        raise InvalidInputError(f'masks hold only {held}, which is background: no {name!r}')
    most = max(by_mask, key=lambda each: len(each.keys() & {*free}))
    where = masks[list(by_mask).index(most)]
    both = [value for value in free if value in most]
    example = ' '.join(f'NAME={shown(value)}' for value in free[1:3])
    raise InvalidInputError(
        f'{where} holds the values {" and ".join(map(shown, both[:4] or free[:4]))} for one class, '
        f'expected --classes {name}={shown(free[0])} {example}, or --classes '
        f'{name}={shown(free[0])} --others background'
    )


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def shown(value: Any) -> str:
    """Return a value as ``--classes`` takes it."""
    return ','.join(map(str, value)) if isinstance(value, tuple) else str(value)


def listed_values(counts: Mapping[Value, Any], most: int = 8) -> str:
    """Return the values of masks as text."""
    values = [shown(value) for value in counts]
    more = f' and {len(values) - most} more' if len(values) > most else ''
    words = values[:most]
    if len(words) > 1 and not more:
        return f'{", ".join(words[:-1])} and {words[-1]}'
    return ', '.join(words) + more


def first_with(value: Value, masks: Sequence[str], by_mask: Sequence[Mapping[Value, int]]) -> str:
    """Return the first mask that has a value, by its folder and name."""
    path = next(path for path, each in zip(masks, by_mask) if value in each)
    return os.path.join(os.path.basename(os.path.dirname(path)), os.path.basename(path))
