import hashlib
import os
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from incseg.constants import MAX_CLASSES, VOID
from incseg.datasets.label_maps.label_file import read_label_file
from incseg.errors import InvalidInputError


class LabelReader:
    """Reads label files of one data set as dataset ids.

    One table of 256 entries turns the ids that the files use into dataset ids:
    0 background, 1..C the classes, 255 void.  An id that the data set does not
    have is refused on the raw mask, before any table.  Instances are small
    and can be pickled, so they serve as ``read`` of ``ClassIndex.scan``.

    Args:
        num_classes: C, without the background; at most 254.
        file_ids: dataset id of each id that files use.  Defaults to the
            identity, ``{0: 0, …, C: C}``.
        void_ids: ids that files use for pixels of no known class.

    Raises:
        InvalidInputError: C or an id is out of range.
    """

    def __init__(
        self,
        num_classes: int,
        file_ids: Mapping[int, int] | None = None,
        void_ids: Sequence[int] = (VOID,),
    ) -> None:
        if not 1 <= num_classes <= MAX_CLASSES:
            raise InvalidInputError(
                f'a data set of {num_classes} classes does not fit uint8 label maps; '
                f'allowed are 1..{MAX_CLASSES}'
            )
        if file_ids is None:
            file_ids = {i: i for i in range(num_classes + 1)}
        _check_ids(file_ids, void_ids, num_classes)
        self.num_classes = num_classes
        #: uint8 (256,): dataset id of each file id.
        self.table = np.full(256, VOID, np.uint8)
        self._refused = np.ones(256, np.uint8)
        for file_id, dataset_id in file_ids.items():
            self.table[file_id] = dataset_id
            self._refused[file_id] = 0
        self._refused[list(void_ids)] = 0
        self._last_of_run = int(np.append(self._refused, 1).argmax()) - 1  # 0 to this: allowed
        self._changes_nothing = bool((self.table == np.arange(256))[self._refused == 0].all())
        self._allowed = f'{_ranges(file_ids)} and void {_ranges(void_ids)}'

    @property
    def cache_key(self) -> str:
        """A string that differs when the same files would read differently."""
        digest = hashlib.sha1(self.table.tobytes() + self._refused.tobytes()).hexdigest()
        return f'{self.num_classes} classes, {digest}'

    def __call__(self, path: str | os.PathLike) -> np.ndarray:
        """Dataset ids of a label file, uint8 ``(H, W)``.

        Raises:
            MissingFileError: there is no such file.
            InvalidInputError: the file is no label map, or has a foreign id.
        """
        raw = read_label_file(path)
        self._check(raw, path)
        return raw if self._changes_nothing else cv2.LUT(raw, self.table)

    def convert(
        self, raw: np.ndarray, name: str | os.PathLike, lut: np.ndarray | None = None
    ) -> np.ndarray:
        """Turn raw ids into dataset ids, or by ``lut`` into train ids at once.

        Args:
            raw: uint8 ``(H, W)``, ids as in the files.
            name: what to call the mask in an error.
            lut: uint8 ``(256,)`` from dataset id to train id; it is composed
                with this reader's table, so the mask is mapped only once.

        Raises:
            InvalidInputError: the mask has an id that the data set has not.
        """
        self._check(raw, name)
        return cv2.LUT(raw, self.table if lut is None else lut[self.table])

    def renumbered(self, num_classes: int, new_ids: Sequence[int]) -> 'LabelReader':
        """A reader of the same files for a data set that numbers the classes in another way.

        Args:
            num_classes: C of that data set.
            new_ids: what each dataset id, 0 to this reader's C, is there.

        Raises:
            InvalidInputError: C or an id is out of range.
        """
        allowed = np.flatnonzero(self._refused == 0).tolist()
        void = [i for i in allowed if self.table[i] == VOID]
        return LabelReader(
            num_classes, {i: int(new_ids[self.table[i]]) for i in allowed if i not in void}, void
        )

    def has_foreign(self, raw: np.ndarray) -> bool:
        """Whether raw ids, uint8 of any shape, hold one that the data set has not."""
        # A maximum is ten times cheaper than a table; it decides for masks without void, then
        # with void moved from 255 to 0, and the rest is looked up.
        if raw.max() <= self._last_of_run:
            return False
        if not self._refused[VOID] and (raw + np.uint8(1)).max() <= self._last_of_run + 1:
            return False
        return bool(cv2.LUT(raw, self._refused).any())

    def _check(self, raw: np.ndarray, name: str | os.PathLike) -> None:
        if not self.has_foreign(raw):
            return
        ids, counts = np.unique(raw, return_counts=True)
        foreign = self._refused[ids] == 1
        pairs = zip(ids[foreign], counts[foreign], strict=True)
        found = ', '.join(f'{i} ({n} pixels)' for i, n in pairs)
        raise InvalidInputError(
            f'label map {os.fspath(name)!r} has an id outside the data set: {found}; '
            f'allowed are {self._allowed}'
        )


def _check_ids(file_ids: Mapping[int, int], void_ids: Sequence[int], num_classes: int) -> None:
    for key in [*file_ids, *void_ids]:
        if not 0 <= key <= 255:
            raise InvalidInputError(f'label files cannot hold the id {key}; allowed are 0..255')
    for key, value in file_ids.items():
        if not (0 <= value <= num_classes or value == VOID):
            raise InvalidInputError(
                f'file id {key} stands for dataset id {value}; '
                f'allowed are 0..{num_classes} and {VOID}'
            )


def _ranges(ids: Sequence[int] | Mapping[int, int]) -> str:
    """``0..10, 255`` for ``{0, …, 10, 255}``."""
    runs: list[list[int]] = []
    for i in sorted(ids):
        if runs and i == runs[-1][1] + 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    return ', '.join(str(a) if a == b else f'{a}..{b}' for a, b in runs)
