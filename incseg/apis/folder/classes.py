"""The classes of a folder: what its masks hold, and the names that a file or the JSON gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incseg.constants import VOID
from incseg.datasets.folders.class_table import NamedClass, read_class_table
from incseg.datasets.folders.mask_values import Value, in_words
from incseg.errors import InvalidInputError
from incseg.utils.rules import any_of, expected

#: more values than that are pictures, not masks of classes
MOST = 254
#: pixels, images
Count = tuple[int, int]


@dataclass(frozen=True)
class FolderClass:
    """A class of a folder.

    Attributes:
        name: Its name; ``'background'`` and ``'void'`` are no classes to learn.
        value: Its id, colour or category in the masks.
        pixels, images: How many show it.
    """

    name: str
    value: Any
    pixels: int = 0
    images: int = 0

    @property
    def learned(self) -> bool:
        """Whether it is a class to learn."""
        return self.name not in ('background', 'void')


def name_values(
    found: Mapping[Value, Count], table: Path | None, coloured: bool
) -> tuple[list[FolderClass], list[str]]:
    """Give each value of the masks a name.

    Args:
        found: Of each value its pixels and images.
        table: A file that names classes, or None.
        coloured: Whether the values are colours.

    Returns:
        The classes, absent ones too, background and void first, and lines about what was taken
        for granted.

    Raises:
        InvalidInputError: Colours have no names; or the table lacks one; or the masks hold one
            value only, or so many that they are no masks of classes.
    """
    if len(found) > MOST:
        raise InvalidInputError(
            f'masks hold {len(found)} different values ({in_words(dict(found), 4)}), expected one '
            f'for each class, at most {MOST}; pictures, instances and lossy files are no masks of '
            'classes'
        )
    named = None if table is None else read_class_table(table)
    if coloured:
        classes, notes = _of_colours(found, named, table)
    elif named is None:
        classes, notes = _without_names(found)
    else:
        classes, notes = _of_ids(found, named, Path(str(table)))
    shown = [each for each in classes if each.learned and each.images]
    if not shown:
        raise InvalidInputError(
            f'masks hold no class, only {in_words(dict(found))}, expected the ids or colours of '
            'classes beside the background (0, or black) and void (255)'
        )
    return classes, notes


def _of_colours(
    found: Mapping[Value, Count], named: Sequence[NamedClass] | None, table: Path | None
) -> tuple[list[FolderClass], list[str]]:
    colours = {each.colour: each.name for each in named or () if each.colour is not None}
    if not colours:
        fault = 'no file says' if named is None else f"'{table}' has no colours that say"
        raise InvalidInputError(
            f'masks have colours, and {fault} which class each is: {in_words(dict(found))}; write '
            "lines of 'name r g b' into a file, as 'background 0 0 0', and give it with --classes"
        )
    black = (0, 0, 0)
    if 'background' not in colours.values():
        colours.setdefault(black, 'background')
    foreign = {value: count for value, count in found.items() if value not in colours}
    if foreign:
        raise InvalidInputError(
            f"masks have colours that '{table}' does not name: {in_words(foreign)}; add lines for "
            "them ('void' for pixels that nothing is learned from); colours at edges alone come "
            'from scaling or a lossy file: export such masks anew'
        )
    return _counted([(name, value) for value, name in colours.items()], found), []


def _without_names(found: Mapping[Value, Count]) -> tuple[list[FolderClass], list[str]]:
    if set(found) == {0, VOID}:
        note = (
            'the masks hold only 0 and 255: 255 is taken as the class object, not as void; name '
            'it in the config, or with --classes FILE'
        )
        return _counted([('background', 0), ('object', VOID)], found), [note]
    values = [value for value in found if value not in (0, VOID)]
    pairs = [('background', 0), ('void', VOID), *((f'class_{value}', value) for value in values)]
    note = 'no file names the classes: they are called class_1, …; rename them in the config'
    return _counted(pairs, found), [note.replace('class_1', f'class_{values[0]}')] if values else []


def _of_ids(
    found: Mapping[Value, Count], named: Sequence[NamedClass], table: Path
) -> tuple[list[FolderClass], list[str]]:
    """Name ids by a table: by its ids, or by the order of its names."""
    notes = []
    values = [value for value in found if value != VOID]
    highest = max((int(value) for value in values if isinstance(value, int)), default=0)
    if all(each.id is None for each in named):
        names = [each.name for each in named]
        real = names[1:] if names[0] == 'void' else names  # labelme's __ignore__ has no id
        plain = [name for name in real if name not in ('background', 'void')]
        if set(found) == {0, VOID} and len(plain) == 1:
            return _counted([('background', 0), (plain[0], VOID)], found), [
                f'the masks hold only 0 and 255: 255 is taken as {plain[0]}, not as void'
            ]
        first = 0 if 'background' in real or highest == len(real) - 1 else 1
        if 'background' not in real:
            how = f'{real[0]} has the id {first}'
            notes.append(
                f"'{table.name}' has names without ids: {how}, as the highest id in the masks is "
                f'{highest}; if that is wrong, write the ids before the names'
            )
        pairs = [(name, i) for i, name in enumerate(real, first)]
    else:
        pairs = [(each.name, each.id) for each in named if each.id is not None]
    known = {value for _, value in pairs}
    foreign = {value: count for value, count in found.items() if value not in known}
    foreign.pop(VOID, None)
    if 'background' not in [name for name, _ in pairs]:
        foreign.pop(0, None)
    if foreign:
        raise InvalidInputError(
            f"'{table}' names the ids {_ranges(known)}, but masks hold {any_of(foreign)} too "
            f'({sum(images for _, images in foreign.values())} masks), expected a name for each '
            "id; write 'void' for an id that nothing is learned from"
        )
    if 0 not in known:
        pairs.insert(0, ('background', 0))
    if VOID not in known:
        pairs.append(('void', VOID))
    return _counted(pairs, found), notes


def of_categories(content: Mapping[str, Any]) -> list[FolderClass]:
    """Return the classes of a JSON file in COCO's form: its categories, with objects as images.

    Args:
        content: See :func:`incseg.datasets.coco_json.read_coco_json`.

    Raises:
        InvalidInputError: Two categories have one name.
    """
    images: dict[int, set[int]] = {}
    for each in content['annotations']:
        images.setdefault(each['category_id'], set()).add(each['image_id'])
    names = [each['name'] for each in content['categories']]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise expected('categories of the JSON file', twice, 'each name once')
    return [
        FolderClass(each['name'], each['name'], 0, len(images.get(each['id'], ())))
        for each in content['categories']
    ]


def _counted(pairs: Sequence[tuple[str, Any]], found: Mapping[Value, Count]) -> list[FolderClass]:
    classes = [FolderClass(name, value, *found.get(value, (0, 0))) for name, value in pairs]
    return sorted(classes, key=lambda each: each.learned)


def _ranges(values: set[Any]) -> str:
    low, high = min(values), max(values)
    whole = len(values) == high - low + 1
    return f'{low} to {high}' if whole and len(values) > 2 else ', '.join(map(str, sorted(values)))
