"""What is in a folder of images and masks: layout, sizes, classes, what does not fit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from terminaltables import AsciiTable

from incseg.apis.folder.classes import FolderClass
from incseg.datasets.folders.layout import Layout

#: names that a line shows
SHOWN = 3


@dataclass
class FolderReport:
    """What is in a folder.

    Attributes:
        root: The folder.
        layout: Where its images and masks lie.
        classes: All classes, background and void among them, with pixels and images.
        counts: Of each split that is read, its images with masks.
        train, test: The splits to train and to test on.
        held_out: Share of the training images that is kept for the test, or None.
        train_images, test_images: Number of images with masks of each.
        learnable: Names of the classes that training images show.
        tested: Names of the classes that test images show.
        sizes: Number of images of each (height, width).
        without_mask, without_image: Files that lack the other.
        coloured: Whether colours stand for classes.
        exif: How pictures have to be turned so that masks fit, see :class:`SegDataset`.
        table: The file that names the classes, or None.
        shown: The learnable classes that each training image shows.
        notes: Lines about what was taken for granted, and what to look at.
    """

    root: str
    layout: Layout
    classes: list[FolderClass] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    train: str = 'train'
    test: str = 'train'
    held_out: float | None = None
    train_images: int = 0
    test_images: int = 0
    learnable: list[str] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    without_mask: list[str] = field(default_factory=list)
    without_image: list[str] = field(default_factory=list)
    coloured: bool = False
    exif: str = 'apply'
    table: Path | None = None
    shown: list[set[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def absent(self) -> list[str]:
        """Names of the classes that no mask shows."""
        return [each.name for each in self.classes if each.learned and not each.images]

    def images_with(self, names: set[str]) -> int:
        """Return how many training images show one of some classes."""
        return sum(bool(each & names) for each in self.shown)

    def lines(self) -> Iterator[str]:
        """Yield the report as lines of text."""
        total = sum(self.counts.values())
        yield f'folder   {self.root}: {total} images with masks'
        yield f'layout   {self.layout.in_words()}'
        if self.held_out is None:
            yield (
                f'split    {self.train} ({self.train_images} images), tested on {self.test} '
                f'({self.test_images})'
            )
        else:
            yield (
                f'split    {self.train_images} to learn from, {self.test_images} held out for the '
                'test (by content)'
            )
        yield f'sizes    {self._sizes_in_words()}'
        if self.table is not None:
            yield f'names    {self.table}'
        yield AsciiTable(self.rows()).table
        for words, names in (
            ('without a mask', self.without_mask),
            ('masks without an image', self.without_image),
            ('absent', self.absent),
        ):
            if names:
                yield f'{words}: {some(names)}'
        for note in self.notes:
            yield f'note     {note}'

    def rows(self) -> list[list[str]]:
        """Return the table of classes: value in the masks, name, images, share of the pixels."""
        whole = sum(each.pixels for each in self.classes) or 1
        rows = [['value', 'class', 'images', 'pixels']]
        for each in self.classes:
            if each.learned or each.images:
                share = 100 * each.pixels / whole
                value = ' '.join(map(str, each.value)) if self.coloured else str(each.value)
                rows.append([value, each.name, str(each.images), f'{share:.1f} %'])
        return rows

    def _sizes_in_words(self) -> str:
        """Return the most frequent sizes, width first, and the range of the others."""
        most = self.sizes.most_common()
        words = ', '.join(f'{w}x{h} ({count})' for (h, w), count in most[:SHOWN])
        if others := [size for size, _ in most[SHOWN:]]:
            small, large = min(others, key=_area), max(others, key=_area)
            words += (
                f' and {len(others)} others, from {small[1]}x{small[0]} to {large[1]}x{large[0]}'
            )
        return f'{words} (width x height)'


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def some(names: Sequence[str]) -> str:
    """Return how many names there are, and the first of them."""
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return f'{len(names)}, ' * (len(names) > 1) + ', '.join(names[:SHOWN]) + more
