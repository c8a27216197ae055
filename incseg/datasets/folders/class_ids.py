"""The classes of a folder's masks: their names, and the ids or colours that stand for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incseg.constants import VOID
from incseg.datasets.folders.class_table import NamedClass
from incseg.datasets.label_maps.mask_file import ColourMasks, read_mask
from incseg.datasets.label_maps.reader import LabelReader
from incseg.errors import InvalidInputError
from incseg.utils.rules import any_of, expected

FORMS = (
    'a dict of names with their values in the masks, as dict(cat=1, dog=2) or '
    'dict(cat=[128, 0, 0]), or a list of names'
)


@dataclass(frozen=True)
class ClassIds:
    """The classes that an argument ``ids`` names.

    Attributes:
        names: The classes in order, without background and void.
        values: The value of each name, ``'background'`` and ``'void'`` among them: an id, or a
            colour, a tuple of three.  Empty where ``ids`` is a list of names.
        void: The values of void.
    """

    names: tuple[str, ...]
    values: dict[str, Any]
    void: tuple[Any, ...] = ()

    @property
    def coloured(self) -> bool:
        """Whether colours stand for classes."""
        return any(isinstance(value, tuple) for value in [*self.values.values(), *self.void])

    def palette(self) -> list[list[int]] | None:
        """Return the colours of background and classes in the masks; None if ids stand for them."""
        if not all(isinstance(self.values.get(name), tuple) for name in self.names):
            return None
        background = self.values.get('background', (0, 0, 0))
        colours = [list(each) for each in (background, *map(self.values.get, self.names))]
        return colours if len({*map(tuple, colours)}) == len(colours) else None

    def reader(self) -> LabelReader:
        """Return the reader of masks in which these values stand for the classes.

        0, or black, is the background, and 255 is void, unless they are given to others.
        """
        if not self.values:
            return LabelReader(len(self.names), read_file=read_mask)
        places = {'background': 0, **{name: i for i, name in enumerate(self.names, 1)}}
        meanings = {value: places[name] for name, value in self.values.items()}
        if self.coloured:
            return self._colour_reader(meanings)
        if 'background' not in self.values:
            meanings.setdefault(0, 0)
        void = {i for i in (*self.void, VOID) if i not in meanings}
        meanings = {i: to for i, to in meanings.items() if i not in void}
        return LabelReader(len(self.names), meanings, sorted(void), read_mask)

    def _colour_reader(self, meanings: dict[Any, int]) -> LabelReader:
        meanings = meanings | dict.fromkeys(self.void, VOID)
        if 'background' not in self.values:
            meanings.setdefault((0, 0, 0), 0)
        ids = range(len(self.names) + 1)
        read = ColourMasks(meanings, self.names)
        return LabelReader(len(self.names), {i: i for i in ids}, read_file=read)


def class_ids(ids: Any, of_categories: bool = False) -> ClassIds:
    """Return the classes of an argument ``ids``.

    Args:
        ids: See :class:`FolderDataset`.
        of_categories: Whether the values are names or ids of COCO's categories.

    Raises:
        InvalidInputError: It has another form, a value twice, or ids and colours.
    """
    listed = isinstance(ids, Sequence) and not isinstance(ids, str)
    if not (listed or isinstance(ids, Mapping)) or not all(
        isinstance(name, str) and name.strip() for name in ids
    ):
        raise expected('ids', ids, FORMS)
    names = tuple(name for name in ids if name not in ('background', 'void'))
    if not names:
        raise expected('ids', ids, f'one class or more besides background and void: {FORMS}')
    if len({*names}) < len(names):
        raise expected('ids', list(ids), 'each name once')
    if listed:
        return ClassIds(names, {})
    values = {name: _value(name, value, of_categories) for name, value in ids.items()}
    void = values.pop('void', ())
    void = void if isinstance(void, list) else [void] if 'void' in ids else []
    everything = [*values.values(), *void]
    twice = next((v for v in everything if everything.count(v) > 1), None)
    if twice is not None:
        raise expected('ids', dict(ids), f'each value once; {twice!r} is there twice')
    if not of_categories and len({isinstance(each, tuple) for each in everything}) > 1:
        raise expected('ids', dict(ids), 'ids of all classes, or colours of all of them')
    if len(names) > VOID - 2:
        raise expected('number of classes in ids', len(names), f'no more than {VOID - 2}')
    return ClassIds(names, values, tuple(void))


def _value(name: str, value: Any, of_categories: bool) -> Any:
    """Return an id, a colour as a tuple, or for void a list of them."""
    if name == 'void' and isinstance(value, list | tuple) and not _is_colour(value):
        return [_value(f'{name}[{i}]', each, of_categories) for i, each in enumerate(value)]
    if of_categories and isinstance(value, str | int) and not isinstance(value, bool):
        return value
    if not of_categories and _is_channel(value):
        return value
    if not of_categories and _is_colour(value):
        return tuple(value)
    what = 'a name or an id of a category' if of_categories else '0 to 255, or [red, green, blue]'
    raise expected(f'ids.{name}', value, what)


def _is_channel(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255


def _is_colour(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(map(_is_channel, value))


def with_colours(ids: ClassIds, table: Sequence[NamedClass], where: str) -> ClassIds:
    """Return classes that have no values yet, with the colours of a table.

    Args:
        ids: The classes.
        table: The table; it may have more classes than these.
        where: The table's file, for errors.

    Raises:
        InvalidInputError: The classes have values, or the table lacks one, or it has no colours.
    """
    colours = {each.name: each.colour for each in table if each.colour is not None}
    if not colours:
        raise InvalidInputError(
            f"class table '{where}' has names without colours, expected lines of name r g b"
        )
    lacking = [name for name in ids.names if name not in colours]
    if lacking:
        raise expected(
            f"a class that class table '{where}' has to have", lacking[0], any_of(colours)
        )
    if ids.values:
        raise expected('ids', ids.values, f"a list of names, as their colours are in '{where}'")
    values: dict[str, Any] = {name: colours[name] for name in ids.names}
    if 'background' in colours:
        values['background'] = colours['background']
    void = [each.colour for each in table if each.name == 'void' and each.colour is not None]
    return ClassIds(ids.names, values, tuple(void))
