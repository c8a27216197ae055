"""The arguments that describe a data set, checked: classes, colours, folders, splits, images."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from incseg.datasets.label_maps.label_file import colour_map
from incseg.registry import TRANSFORMS
from incseg.utils.rules import check_keys, expected

_COLOUR = '[red, green, blue], whole numbers from 0 to 255'


def resolve_metainfo(
    own: Mapping[str, Any], given: Mapping[str, Any] | None, name: str
) -> dict[str, Any]:
    """Return the classes and the colours of a data set.

    Args:
        own: ``METAINFO`` of its class.
        given: Replaces parts of it.  New classes without a palette get the colours of VOC.
        name: The class's name, for errors.

    Returns:
        ``own`` and ``given`` joined, with ``classes``, the names with the background first, and
        ``palette``, one ``[red, green, blue]`` per class.

    Raises:
        InvalidInputError: ``given`` is no dict or has an unknown key; the classes are no list of
            different names with the background first; or a colour is none, or lacking.
    """
    if given is not None:
        check_keys('metainfo', given, (), {*own, 'classes', 'palette'})
    merged = {**own, **(given or {})}
    classes = merged.get('classes', ())
    listed = isinstance(classes, Sequence) and not isinstance(classes, str)
    names = tuple(classes) if listed else ()
    if (
        len(names) < 2
        or not all(isinstance(each, str) and each.strip() for each in names)
        or names[0] != 'background'
        or len(set(names)) < len(names)
    ):
        raise expected(
            f'metainfo.classes of {name}',
            names if listed else classes,
            "'background' followed by the name of each class, none twice",
        )
    palette = merged.get('palette')
    if palette is None or (given and 'classes' in given and 'palette' not in given):
        palette = colour_map(len(names))
    return dict(merged, classes=names, palette=_colours(palette, names, name))


def _colours(palette: Any, classes: Sequence[str], name: str) -> list[list[int]]:
    """Return a palette as lists of int, once every class has a colour."""
    key = f'metainfo.palette of {name}'
    if not _is_list(palette):
        raise expected(key, palette, f'a list of colours, each {_COLOUR}')
    if len(palette) != len(classes):
        raise expected(
            f'number of colours in {key}',
            len(palette),
            f'one for each of the {len(classes)} classes',
        )
    for colour, of_class in zip(palette, classes, strict=True):
        if not (_is_list(colour) and len(colour) == 3 and all(map(_is_channel, colour))):
            raise expected(f'the colour of {of_class!r} in {key}', colour, _COLOUR)
    colours = [[int(channel) for channel in colour] for colour in palette]
    if max(map(max, colours)) <= 1:  # shares of full brightness: all of them would be black
        raise expected(key, palette, f'colours, each {_COLOUR}, and not all as dark as 0 and 1')
    return colours


def _is_list(value: Any) -> bool:
    """Say whether a value is a list, a tuple or an array, and no text."""
    listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return listed or getattr(value, 'ndim', 0) > 0


def _is_channel(value: Any) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and 0 <= value <= 255 and int(value) == value


def resolve_prefix(
    own: Mapping[str, str], given: Mapping[str, str] | None, name: str
) -> dict[str, str]:
    """Return the folders of a data set.

    Args:
        own: ``DATA_PREFIX`` of its class.
        given: Replaces parts of it.
        name: The class's name, for errors.

    Raises:
        InvalidInputError: ``given`` is no dict, has an unknown key, or a folder is no text.
    """
    if given is not None:
        check_keys('data_prefix', given, (), {*own, 'img_path', 'seg_map_path'})
    merged = {**own, **(given or {})}
    for key, folder in merged.items():
        if not isinstance(folder, str):
            raise expected(f'data_prefix.{key} of {name}', folder, 'a folder below data_root')
    return merged


def resolve_suffixes(key: str, given: Any) -> tuple[str, ...]:
    """Return the endings of files; a format's bare name (``'jpg'``) gets its dot.

    Args:
        key: The argument, for errors.
        given: An ending, or a list of one or more.

    Raises:
        InvalidInputError: It is neither.
    """
    endings = [given] if isinstance(given, str) else given
    listed = isinstance(endings, Sequence) and len(endings) > 0
    if not listed or not all(isinstance(each, str) and each.strip() for each in endings):
        raise expected(key, given, "an ending of files, as '.jpg' or '_mask.png', or a list")
    return tuple(f'.{each}' if each.isalnum() else each for each in endings)


def check_indices(indices: Any) -> None:
    """Refuse anything but the images that mmengine's data sets can keep.

    Args:
        indices: None, how many of the first images are kept, or the indices of those.

    Raises:
        InvalidInputError: It is neither; a message names the argument.
    """
    listed = isinstance(indices, Sequence | np.ndarray) and not isinstance(indices, str)
    kept = list(indices) if listed else [] if indices is None else [indices]
    least = 0 if listed else 1
    whole = all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in kept)
    if (listed and not kept) or not whole or any(i < least for i in kept):
        raise expected(
            'indices', indices, 'None, the number of images to keep, or a list of their indices'
        )


def transform_of(transform: Any) -> Callable:
    """Return a transform, built if it is a config.

    Raises:
        InvalidInputError: It is neither a config nor a function.
    """
    if isinstance(transform, dict):
        transform = TRANSFORMS.build(transform)
    if not callable(transform):
        raise expected('a transform of pipeline', transform, 'a dict with a type, or a function')
    return transform


def names_of(split: Any) -> list[str]:
    """Return a list of splits' names, once it is one.

    Raises:
        InvalidInputError: It is no list of one or more texts.
    """
    names = list(split) if isinstance(split, Sequence) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise expected('split', split, 'the name of a split, or a list of one or more')
    return names
