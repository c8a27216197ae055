"""Files that list the images of a data set: ids, paths, or pairs of an image and its mask."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.rules import any_of, expected, similar

#: how a binary file or UTF-16 begins, or what it holds; other bytes may be names of files
_NO_TEXT = (b'\xff\xfe', b'\xfe\xff')
_UTF_8_MARK = b'\xef\xbb\xbf'
#: endings by which an entry is known as a path
PICTURES: tuple[str, ...] = (
    *('.jpg', '.jpeg', '.png', '.bmp', '.gif', '.tif', '.tiff', '.webp', '.pgm', '.ppm'),
    *('.heic', '.heif', '.avif', '.jp2', '.jxl'),
)
#: words of a first line that names the columns of a table; ids are not called so
_HEADING = {
    *('image', 'img', 'images', 'image_path', 'img_path', 'image_id', 'imageid', 'image_name'),
    *('mask', 'masks', 'mask_path', 'label', 'labels', 'label_path', 'annotation', 'seg_map'),
    *('id', 'name', 'path', 'file', 'filename', 'file_name', 'target', 'gt', 'class', 'split'),
}
#: what an id that is more than a name has: columns, as in VOC's ImageSets/Main, or JSON
_MORE_THAN_AN_ID = re.compile(r'[,;\t"\[\]{}]|\s-?[01]$|^(\S+)\s+\1$')
_FORMS = 'an image id, the path of an image, or an image and its mask'


@dataclass(frozen=True)
class Places:
    """Where the paths of a list lead.

    Attributes:
        root: Folder of the data set.
        images, labels: Folders of its images and label maps.
        image_suffixes: Endings of its images.
    """

    root: str
    images: str
    labels: str
    image_suffixes: Sequence[str]


@dataclass(frozen=True)
class Entry:
    """An image of a list.

    Attributes:
        image_id: Its path below the image folder, without ending.
        image, mask: The files that the list names; None where it has the id only.
    """

    image_id: str
    image: str | None = None
    mask: str | None = None


def read_id_list(path: str, how_to_get: str, places: Places | None = None) -> list[str]:
    """Return the ids of a list file; the arguments are those of :func:`read_list`."""
    return [entry.image_id for entry in read_list(path, how_to_get, places)]


def entries_by_id(path: str, how_to_get: str, places: Places) -> dict[str, Entry]:
    """Return the entries of a list file by their ids; none if there is no such file.

    The arguments are those of :func:`read_list`.
    """
    entries = read_list(path, how_to_get, places) if os.path.isfile(path) else []
    return {entry.image_id: entry for entry in entries}


def read_list(path: str, how_to_get: str, places: Places | None = None) -> list[Entry]:
    """Read a list file, one image per line.

    A line is an image's id, its path, or its path and that of its mask, with blanks, a tab or a
    comma between them, and quotes around them or not.  A path is one below the image folder
    (the label folder for a mask) or below the root, with or without a leading slash.  Blank
    lines, lines that begin with ``'# '`` and a first line of column names are skipped.  Bytes
    that are not UTF-8 become the characters by which Python names such files.

    Args:
        path: The file.
        how_to_get: Ends the message about a missing file.
        places: Where paths lead; None takes every line for an id.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: The file cannot be read or is empty, a line has another form, or
            leads out of the data set's folders.
    """
    where = f'image list {path!r}'
    entries = []
    for number, line in _lines(path, how_to_get):
        entry = Entry(line) if places is None else _entry(line, number, where, places)
        check_id(entry.image_id, where)
        entries.append(entry)
    if not entries:
        raise InvalidInputError(f'{where} is empty, expected one image id per line')
    return entries


def check_id(image_id: str, where: str) -> None:
    """Refuse an image id that leads out of the folders of its data set.

    Args:
        image_id: The id, which becomes part of a path.
        where: The file that names it, for errors.

    Raises:
        InvalidInputError: It is an absolute path, or one part of it is ``..``; or it has
            a NUL, which no name of a file has.
    """
    if image_id.startswith('/') or '..' in image_id.split('/') or '\0' in image_id:
        raise expected(f'an image id of {where}', image_id, 'a path below the image folder')


def ending(name: str, suffixes: Sequence[str]) -> str | None:
    """Return the first suffix that a file's name ends with; capitals do not matter."""
    low = name.lower()
    return next((suffix for suffix in suffixes if low.endswith(suffix.lower())), None)


def _lines(path: str, how_to_get: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that has an entry."""
    try:
        with open(path, 'rb') as file:
            content = file.read().removeprefix(_UTF_8_MARK)
    except FileNotFoundError as error:
        raise MissingFileError(
            f'image list {path!r} does not exist; {_similar_list(path)}{how_to_get}'
        ) from error
    except OSError as error:
        raise InvalidInputError(
            f'image list {path!r} cannot be read as text ({error}); {how_to_get}'
        ) from error
    if content.startswith(_NO_TEXT) or b'\0' in content:
        raise InvalidInputError(
            f'image list {path!r} cannot be read as text (it is binary or UTF-16); save it as UTF-8'
        )
    for number, line in enumerate(content.decode('utf-8', 'surrogateescape').splitlines(), 1):
        line = line.strip()
        words = {*re.split(r'[\s,;"]+', line.lower())} - {''}
        heading = number == 1 and len(words) > 1 and words <= _HEADING
        if line and line != '#' and not line.startswith(('# ', '#\t')) and not heading:
            yield number, line


def _similar_list(path: str) -> str:
    """Return the advice for a list that is missing from a folder with other lists, or ''."""
    wanted = Path(path)
    there = sorted(each.name for each in wanted.parent.glob(f'*{wanted.suffix or ".txt"}'))
    if not there:
        return ''
    close = similar(wanted.name, there)
    hint = f'did you mean {close!r}' if close else f'do you mean {any_of(there[:8])}'
    return f'{hint} (set split or ann_file)? If not, '


def _entry(line: str, number: int, where: str, places: Places) -> Entry:
    image, mask = _split(line, f'line {number} of {where}', places)
    if not _is_path(image, places):
        image = _without_dot(image)
        inside = _within(places.images, image.lstrip('/'), places.root)
        image_id = inside or image
        if _MORE_THAN_AN_ID.search(image_id) and not _has_image(image_id, places):
            raise expected(
                f'line {number} of {where}', line, f'{_FORMS} (no image has this whole name)'
            )
        return Entry(image_id)
    relative = _below_root(image, where, places.root)
    name = _within(places.images, relative, places.root)
    if name is None and _is_file(places.images, relative, places.root):
        name = relative
    suffix = ending(name or relative, (*places.image_suffixes, *PICTURES)) or ''
    file = (
        os.path.join(places.root, relative) if name is None else os.path.join(places.images, name)
    )
    image_id = (name or relative)[: -len(suffix)]
    if mask is not None and re.search('[,;]', image) and not os.path.isfile(file):
        raise expected(f'line {number} of {where}', line, f'{_FORMS}, and no other columns')
    elsewhere = name is None and _within(places.labels, relative, places.root) is not None
    foreign = elsewhere or not os.path.isfile(file)
    if mask is not None and foreign and os.path.isfile(_mask(image, where, places)):
        raise expected(f'line {number} of {where}', line, 'the image first, then its mask')
    return Entry(image_id, file, None if mask is None else _mask(mask, where, places))


def _has_image(image_id: str, places: Places) -> bool:
    endings = {each for suffix in places.image_suffixes for each in (suffix, suffix.upper())}
    return any(os.path.isfile(os.path.join(places.images, image_id + each)) for each in endings)


def _mask(mask: str, where: str, places: Places) -> str:
    """Return the file of a mask that a list names."""
    relative = _below_root(mask, where, places.root)
    name = _within(places.labels, relative, places.root)
    if name is None and _is_file(places.labels, relative, places.root):
        name = relative
    return (
        os.path.join(places.root, relative) if name is None else os.path.join(places.labels, name)
    )


def _split(line: str, where: str, places: Places) -> tuple[str, str | None]:
    """Return the image and the mask of a line; names may have blanks."""
    if '"' in line:  # as tables are saved
        line = re.sub(r'"([^"]*)"', r'\1', line)
    for gap in re.finditer(r'[\s,;]+', line):
        image, mask = line[: gap.start()], line[gap.end() :]
        if _is_path(image, places):
            if not _is_path(mask, places):
                raise expected(where, line, _FORMS)
            return image, mask
    if '\t' in line:  # which no name of a file has
        raise expected(where, line, _FORMS)
    return line, None


def _is_path(text: str, places: Places) -> bool:
    return ending(text, (*places.image_suffixes, *PICTURES)) is not None


def _below_root(path: str, where: str, root: str) -> str:
    """Return a path below the root, without its leading slash."""
    start = os.path.join(os.path.abspath(root), '')
    relative = _without_dot(path.removeprefix(start).lstrip('/'))
    check_id(relative, where)
    return relative


def _without_dot(path: str) -> str:
    """Return a path without ``./`` at its beginning."""
    while path.startswith('./'):
        path = path[2:].lstrip('/')
    return path


def _within(folder: str, relative: str, root: str) -> str | None:
    """Return a path below the root as one below a folder; None if it is none."""
    start = os.path.join(os.path.normpath(folder), '')
    whole = os.path.normpath(os.path.join(root, relative))
    return whole[len(start) :] if whole.startswith(start) else None


def _is_file(folder: str, relative: str, root: str) -> bool:
    """Return whether a path leads to a file below a folder rather than below the root."""
    below = os.path.join(folder, relative)
    return os.path.isfile(below) or not os.path.isfile(os.path.join(root, relative))
