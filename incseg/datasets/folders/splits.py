"""Which images of a folder a split stands for."""

from collections.abc import Sequence
from dataclasses import dataclass

from incseg.datasets.folders.layout import Layout
from incseg.datasets.folders.names import TEST, TRAIN, VAL, of_kind
from incseg.errors import InvalidInputError
from incseg.utils.rules import any_of, expected


@dataclass(frozen=True)
class SplitChoice:
    """Images of a folder.

    Attributes:
        folders: The splits of the folder that they are taken from.
        part: ``'train'``: those that are not held out for the test; ``'val'``: those that are;
            None: all.
    """

    folders: list[str]
    part: str | None = None


def choose_splits(wanted: Sequence[str], layout: Layout, held_out: float | None) -> SplitChoice:
    """Return the images that splits stand for.

    A split is one of the folder's; or ``'train'`` or ``'val'`` under another usual name; or a
    part of the training images, where ``held_out`` divides them.

    Args:
        wanted: The names of the splits.
        layout: The folder's layout.
        held_out: Share of the training images that is kept for the test, or None.

    Raises:
        InvalidInputError: There is no such split, or the folder has one for the test although
            ``held_out`` is given.
    """
    there = list(layout.splits)
    if held_out is not None and (own := of_kind(there, (*VAL, *TEST))):
        raise expected('held_out', held_out, f'None: the folder has a split {own!r}')
    folders, parts = [], set()
    for split in wanted:
        found = _of_folder(split, there)
        testing = split in (*VAL, *TEST)
        if found is None and held_out is not None and testing:
            found = of_kind(there, TRAIN) or (None if there else 'train')
        if found is None:
            raise _no_such(split, layout, testing)
        folders.append(found)
        parts.add(None if held_out is None else 'val' if testing else 'train')
    part = next(iter(parts)) if len(parts) == 1 else None
    return SplitChoice(list(dict.fromkeys(folders)), part)


def _of_folder(split: str, there: Sequence[str]) -> str | None:
    """Return the split of the folder that a name stands for; None if there is none."""
    if split in there:
        return split
    if not there:
        return 'train' if split in TRAIN else None
    for kind, same in ((TRAIN, TRAIN), (VAL, (*VAL, *TEST)), (TEST, TEST)):
        if split in kind:
            return of_kind(list(there), same)
    return None


def _no_such(split: str, layout: Layout, testing: bool) -> InvalidInputError:
    advice = '; held_out=0.2 keeps a fifth of the images for it' if testing else ''
    what = any_of(layout.splits or ['train'])
    return expected('split', split, f'{what}: {layout.in_words()}{advice}')
