"""Files that name classes: their ids or their colours, in the forms that tools write."""

import csv
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incseg.constants import BACKGROUND_NAMES
from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.rules import expected

#: names of such files, the ones that say most first
FILES = (
    *('labelmap.txt', 'label_map.txt', 'class_dict.csv', 'label_colors.txt', 'labels_colors.txt'),
    *('colors.txt', 'colours.txt', 'colormap.txt', 'color_map.txt', 'label_colors.csv'),
    *('_classes.csv', 'classes.csv', 'classes.json', 'labels.json', 'labelmap.json', 'colors.json'),
    *('classes.txt', 'class_names.txt', 'labels.txt', 'obj.names', 'names.txt'),
)
#: names of what nobody labelled
VOID_NAMES = {'void', 'ignore', '__ignore__', '_ignore_', 'unlabelled', 'unlabeled', 'unknown'}
_FORMS = (
    "lines 'name', 'id name', 'name r g b' or CVAT's 'name:r,g,b::', a table with a heading, or "
    'JSON of names with ids or colours'
)
_HEADING = {'name', 'class', 'classes', 'label', 'r', 'g', 'b', 'red', 'green', 'blue', 'id'}
_HEADING |= {'pixel value', 'value', 'index', 'color', 'colour', 'rgb', 'hex'}


@dataclass(frozen=True)
class NamedClass:
    """A class of a table.

    Attributes:
        name: Its name; ``'background'`` and ``'void'`` in this spelling.
        id: Its value in masks; None if the table does not say it.
        colour: ``(red, green, blue)`` in masks; None if the table does not say it.
    """

    name: str
    id: int | None = None
    colour: tuple[int, int, int] | None = None


def find_class_table(root: str | os.PathLike) -> Path | None:
    """Return the file of a folder that names its classes; None if there is none."""
    there = {name.lower(): name for name in os.listdir(root)} if os.path.isdir(root) else {}
    found = next((there[name] for name in FILES if name in there), None)
    if found is None:  # Roboflow puts it into the folder of each split
        found = next(
            (
                f'{folder}/_classes.csv'
                for folder in sorted(there.values())
                if os.path.isfile(os.path.join(root, folder, '_classes.csv'))
            ),
            None,
        )
    return None if found is None else Path(root, found)


def read_class_table(path: str | os.PathLike) -> list[NamedClass]:
    """Read a file that names classes.

    Known are CVAT's ``labelmap.txt`` (``name:r,g,b:parts:actions``), lines of ``name r g b`` or
    ``r g b name``, ``id name``, or names alone, with blanks, tabs, commas or semicolons between
    them; Roboflow's ``_classes.csv``; JSON: ``{name: [r, g, b]}``, ``{name: id}``,
    ``{id: name}``, a list of names, or of dicts with ``name``, ``id`` and ``color`` (also
    ``#rrggbb``).  Lines that begin with ``#`` are skipped.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It has another form, no class, or a name or a colour twice.
    """
    where = f"class table '{path}'"
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except FileNotFoundError as error:
        raise MissingFileError(f'{where} does not exist') from error
    except (OSError, ValueError) as error:
        raise InvalidInputError(f'{where} cannot be read as text ({error})') from error
    if Path(path).suffix.lower() == '.json':
        classes = [*_of_json(text, where)]
    else:
        classes = [*_of_lines(text, where)]
    if not classes:
        raise InvalidInputError(f'{where} names no class, expected {_FORMS}')
    for key in ('name', 'id', 'colour'):
        values = [value for each in classes if (value := getattr(each, key)) is not None]
        twice = next((v for v in values if values.count(v) > 1 and v != 'void'), None)
        if twice is not None:
            raise InvalidInputError(f'{where} has the {key} {twice!r} twice, expected it once')
    return classes


def _of_lines(text: str, where: str) -> Iterable[NamedClass]:
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(('#', '//'))]
    for number, line in enumerate(lines):
        if ':' in line and (cvat := re.fullmatch(r'([^:]+):(\d+)[, ]+(\d+)[, ]+(\d+)(:.*)?', line)):
            yield _named(cvat[1], None, cvat.groups()[1:4], line, where)
            continue
        delimiter = next((each for each in ',;\t' if each in line), None)
        if delimiter is not None:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
            cells = [word for cell in cells for word in (_numbers(cell) or [cell])]
        else:
            cells = _cells_of_blanks(line)
        cells = [cell for cell in cells if cell]
        if number == 0 and len(cells) > 1 and {cell.lower() for cell in cells} <= _HEADING:
            continue
        digits = [cell for cell in cells if re.fullmatch(r'-?\d+', cell)]
        words = [cell for cell in cells if cell not in digits]
        if len(words) != 1 or len(digits) not in (0, 1, 3, 4):
            raise expected(f'a line of {where}', line, _FORMS)
        first = digits.pop(0) if len(digits) in (1, 4) else None
        yield _named(words[0], first, digits or None, line, where)


def _cells_of_blanks(line: str) -> list[str]:
    """Return the numbers before and behind a name, which may have blanks itself, and the name."""
    form = re.fullmatch(r'((?:-?\d+[\s:]+)*)(.*?)((?:\s+-?\d+)*)', line)
    if form is None:
        return [line]
    return [*re.findall(r'-?\d+', form[1]), form[2].strip(), *form[3].split()]


def _numbers(cell: str) -> list[str]:
    """Return the numbers of a cell that has several, as ``(128, 0, 0)``, or []."""
    return re.findall(r'\d+', cell) if re.fullmatch(r'[\s\d,()\[\]]+', cell) else []


def _of_json(text: str, where: str) -> Iterable[NamedClass]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InvalidInputError(f'{where} cannot be read as JSON ({error})') from error
    if isinstance(content, Mapping):
        inside = next(
            (content[k] for k in ('classes', 'labels', 'categories') if k in content), None
        )
        content = content if inside is None else inside
    if isinstance(content, Mapping):
        for key, value in content.items():
            if isinstance(value, str) and key.lstrip('-').isdigit():
                yield _named(value, key, None, key, where)
            elif isinstance(value, int) and not isinstance(value, bool):
                yield _named(key, value, None, key, where)
            else:
                yield _named(key, None, value, key, where)
        return
    for each in content if isinstance(content, list) else ():
        if isinstance(each, str):
            yield _named(each, None, None, each, where)
        elif isinstance(each, Mapping):
            name = next((each[k] for k in ('name', 'label', 'title', 'class') if k in each), None)
            colour = next((each[k] for k in ('color', 'colour', 'rgb') if k in each), None)
            yield _named(name, each.get('id', each.get('value')), colour, each, where)
        else:
            raise expected(f'a class of {where}', each, _FORMS)


def _named(name: Any, value: Any, colour: Any, line: Any, where: str) -> NamedClass:
    """Return the class of a line, once its parts are what they have to be."""
    if not isinstance(name, str) or not name.strip():
        raise expected(f'a line of {where}', line, _FORMS)
    name = name.strip()
    low = name.lower()
    name = 'background' if low in BACKGROUND_NAMES else 'void' if low in VOID_NAMES else name
    if isinstance(colour, str) and re.fullmatch('#?[0-9a-fA-F]{6}', colour):
        colour = [*bytes.fromhex(colour.removeprefix('#'))]
    if colour is not None:
        try:
            colour = tuple(int(channel) for channel in colour)
        except (TypeError, ValueError):
            colour = ()
        if len(colour) != 3 or not all(0 <= channel <= 255 for channel in colour):
            raise expected(f'a colour in {where}', line, 'three numbers from 0 to 255')
    number = None if value is None or colour is not None else int(value)
    if number is not None and not 0 <= number <= 255:
        number, name = None, 'void' if number == -1 else name
    return NamedClass(name, number, colour)
