"""The names of a network's outputs: files of them, and their order."""

import json
from collections.abc import Sequence
from pathlib import Path

from incseg.constants import BACKGROUND_NAMES
from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.rules import expected


def read_class_names(path: str | Path) -> list[str]:
    """Read the names of a network's outputs, in their order.

    Args:
        path: A text file with a name in each line, or a JSON file with a list of names.

    Raises:
        MissingFileError, InvalidInputError: It is missing, cannot be read, or holds no names.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f'no file of classes at {path}')
    try:
        text = path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f'file of classes {path} cannot be read: {error}') from error
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if text.lstrip()[:1] in ('[', '{'):
        try:
            names = json.loads(text)
        except ValueError as error:
            raise InvalidInputError(f'file of classes {path} cannot be read: {error}') from error
    if not isinstance(names, list) or not names or not all(isinstance(x, str) for x in names):
        raise expected(f'content of {path}', names, 'a name in each line, or a JSON list of names')
    return names


def background_first(
    names: Sequence[str], background: bool, where: str
) -> tuple[list[str], list[int]]:
    """Return the names with the background in front, and the outputs that they belong to.

    Args:
        names: A name for each output.
        background: Whether one of them is the background.
        where: Where the names come from, for messages.

    Returns:
        ``'background'`` and the classes; and for each output in the new order its index in
        ``names``.  Without a background the indices are those of the classes alone.

    Raises:
        InvalidInputError: A name stands there twice, or the background is missing, or there.
    """
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise InvalidInputError(f'{where} names {twice!r} twice, expected each class once')
    places = [i for i, name in enumerate(names) if name.lower() in BACKGROUND_NAMES]
    if background and len(places) != 1:
        raise InvalidInputError(
            f'{where} names no background (first {names[0]!r}), expected one that is called '
            "'background', or --no-background"
            if not places
            else f'{where} names the background more than once'
        )
    if places and not background:
        raise InvalidInputError(
            f'{where} names {names[places[0]]!r}, expected classes alone with --no-background'
        )
    order = [*places, *(i for i in range(len(names)) if i not in places)]
    return ['background', *(names[i] for i in order if i not in places)], order


def order_of(names: Sequence[str], wanted: Sequence[str], what: str) -> list[int]:
    """Return the indices of names in a wanted order.

    Args:
        names: Names, background first.
        wanted: The same names in another order.
        what: Whose order it is, for the message.

    Raises:
        InvalidInputError: They are not the same names; the message shows both.
    """
    if sorted(names) != sorted(wanted):
        raise InvalidInputError(
            f'the network has the classes {", ".join(names)}; {what} has {", ".join(wanted)}'
        )
    return [list(names).index(name) for name in wanted]
