"""The classes and the colours of a data set."""

from collections.abc import Mapping
from typing import Any

from incseg.datasets.label_maps.label_file import colour_map
from incseg.utils.rules import expected


def resolved_metainfo(
    name: str, defaults: Mapping[str, Any], metainfo: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the classes and the colours of a data set, checked.

    Args:
        name: The class of the data set, for errors.
        defaults: Its own ``METAINFO``.
        metainfo: Replaces parts of it.  New classes without a palette get the colours of VOC.

    Returns:
        A dict of ``classes``, the names with the background first, and ``palette``,
        one ``[red, green, blue]`` per class.

    Raises:
        InvalidInputError: The classes are not as described, or the palette
            has another number of colours.
    """
    merged = {**defaults, **(metainfo or {})}
    classes = tuple(merged.get('classes', ()))
    if len(classes) < 2 or classes[0] != 'background' or len(set(classes)) < len(classes):
        raise expected(
            f'metainfo.classes of {name}',
            classes,
            "'background' followed by the name of each class, none twice",
        )
    palette = merged.get('palette')
    if palette is None or (metainfo and 'classes' in metainfo and 'palette' not in metainfo):
        palette = colour_map(len(classes))
    if len(palette) != len(classes):
        raise expected(
            f'number of colours in metainfo.palette of {name}',
            len(palette),
            f'one for each of the {len(classes)} classes',
        )
    return dict(merged, classes=classes, palette=[list(map(int, c)) for c in palette])
