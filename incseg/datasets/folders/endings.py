"""How the names of masks follow from those of their images: by which endings."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from incseg.datasets.folders.names import MASK_TAIL
from incseg.datasets.list_files import PICTURES, ending
from incseg.errors import InvalidInputError

#: endings of pictures that keep ids as they are
LOSSLESS = ('.png', '.bmp', '.gif', '.tif', '.tiff')
_BREAKS = re.compile(r'[_\-. ]')


def pictures_of(names: Iterable[str]) -> list[str]:
    """Return the names that have the ending of a picture, sorted."""
    return sorted(name for name in names if ending(name, PICTURES))


def endings_of(
    images: Sequence[str], masks: Sequence[str], where: str
) -> tuple[tuple[str, ...], str]:
    """Return the endings of images and of masks, so that what is before them is equal.

    Args:
        images: Names of pictures below their folder.
        masks: Names of masks below theirs.
        where: The folders, for errors.

    Raises:
        InvalidInputError: No mask has the name of an image, masks are JPEGs, or there are two
            masks of each image.
    """
    kinds = tuple(dict.fromkeys(os.path.splitext(name)[1] for name in images))
    stems = {os.path.splitext(name)[0] for name in images}
    found, tail = _mask_endings(stems, masks), ''
    if not found and (tail := _common_tail(stems)):
        found = _mask_endings({stem[: -len(tail)] for stem in stems}, masks)
    if not found:
        raise InvalidInputError(
            f'{where}: no mask has the name of an image (images are {_some(images)}, masks '
            f'{_some(masks)}), expected equal names, or names that go on, as a.jpg and a_mask.png'
        )
    mask_suffix = _one_of(found, where)
    if ending(mask_suffix, ('.jpg', '.jpeg')):
        raise InvalidInputError(
            f'{where}: masks are JPEGs ({_some(masks)}), whose compression alters ids, expected '
            'PNG; export them anew, a conversion of the JPEGs keeps their wrong pixels'
        )
    return tuple(tail + kind for kind in kinds), mask_suffix


def _mask_endings(stems: set[str], masks: Sequence[str]) -> dict[str, set[str]]:
    """Return, for each ending of masks, the beginnings of images that have such a mask."""
    found: dict[str, set[str]] = {}
    for mask in masks:
        whole = os.path.splitext(mask)[0]
        cuts = [len(whole), *(cut.start() for cut in reversed([*_BREAKS.finditer(whole)]))]
        cut = next((cut for cut in cuts if whole[:cut] in stems), None)
        if cut is not None:
            found.setdefault(mask[cut:], set()).add(mask[:cut])
    return found


def _one_of(found: dict[str, set[str]], where: str) -> str:
    """Return the ending of masks; refuse it where images have two masks each."""
    most = sorted(found, key=lambda suffix: (-len(found[suffix]), suffix))
    both = [s for s in most if len(found[s] & found[most[0]]) * 2 > len(found[most[0]])]
    plain = [s for s in both if re.search('labelids', s, re.IGNORECASE)]
    if len(both) > 1 and not plain:
        raise InvalidInputError(
            f'{where}: images have several masks, with the endings {", ".join(map(repr, both))}, '
            f'expected one; say which with seg_map_suffix={both[0]!r}'
        )
    return plain[0] if plain and len(both) > 1 else most[0]


def _common_tail(stems: Iterable[str]) -> str:
    """Return the last part that all names share, as ``_leftImg8bit``, or ''."""
    tails = Counter(stem[cut:] for stem in stems if (cut := max(map(stem.rfind, '_-.'))) > 0)
    return next(iter(tails)) if len(tails) == 1 else ''


def masks_beside(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the images and the masks of a folder that holds both; no masks if it does not.

    Masks have a word like ``_mask`` at the end of their names, or are the only lossless pictures
    and have the names of the others.
    """
    by_name = [name for name in names if MASK_TAIL.search(os.path.splitext(name)[0])]
    if by_name:
        return [name for name in names if name not in {*by_name}], by_name
    lossless = [name for name in names if ending(name, LOSSLESS)]
    others = [name for name in names if name not in {*lossless}]
    stems = {os.path.splitext(name)[0] for name in others}
    masks = [name for name in lossless if os.path.splitext(name)[0] in stems]
    return (others, masks) if masks else (list(names), [])


def _some(names: Sequence[str]) -> str:
    return ', '.join(names[:2]) + (', …' if len(names) > 2 else '')
