import hashlib
import os
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from incseg.constants import MAX_CLASSES, VOID
from incseg.datasets.label_maps.label_file import read_label_file
from incseg.errors import InvalidInputError
from incseg.utils.rules import expected


class LabelReader:
    """Reads the label files of one data set as dataset ids.

    One table of 256 entries turns *file ids*, the ids in the files, into
    dataset ids: 0 background, 1..C the classes, 255 void.  A file id that the
    data set does not have is refused before the table is applied.  Instances
    are small and can be pickled, so they serve as ``read`` of
    ``ClassIndex.scan``.

    Args:
        num_classes: C, without the background; at most 254.
        file_ids: Dataset id of each file id.  By default the identity,
            ``{0: 0, …, C: C}``.
        void_ids: File ids of pixels without a known class; they become 255.
        read_file: Returns the file ids of a label file, uint8 ``(H, W)``; can be pickled.  One
            that gives files another meaning than :func:`read_label_file` has a text
            ``cache_key``.

    Raises:
        InvalidInputError: C or an id is out of range.
    """

    def __init__(
        self,
        num_classes: int,
        file_ids: Mapping[int, int] | None = None,
        void_ids: Sequence[int] = (VOID,),
        read_file: Callable[[str], np.ndarray] = read_label_file,
    ) -> None:
        if not 1 <= num_classes <= MAX_CLASSES:
            raise expected('num_classes', num_classes, f'1 to {MAX_CLASSES} (uint8 label maps)')
        if file_ids is None:
            file_ids = {i: i for i in range(num_classes + 1)}
        _check_ids(file_ids, void_ids, num_classes)
        self.num_classes = num_classes
        self.read_file = read_file
        #: Dataset id of each file id, without those of void.
        self.file_ids: dict[int, int] = {int(i): int(to) for i, to in file_ids.items()}
        self.void_ids: tuple[int, ...] = tuple(int(i) for i in void_ids)
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
        """A text of the reader's table: readers with the same text read a file in the same way."""
        digest = hashlib.sha1(self.table.tobytes() + self._refused.tobytes()).hexdigest()
        how = getattr(self.read_file, 'cache_key', '')
        return f'{self.num_classes} classes, {digest}' + (f', {how}' if how else '')

    def __call__(self, path: str | os.PathLike) -> np.ndarray:
        """Return the dataset ids of a label file, uint8 ``(H, W)``.

        Raises:
            MissingFileError: There is no such file.
            InvalidInputError: The file is not a label map, or has a foreign id.
        """
        label_map = self.read_file(os.fspath(path))
        self._check(label_map, path)
        return label_map if self._changes_nothing else cv2.LUT(label_map, self.table)

    def convert(
        self, label_map: np.ndarray, name: str | os.PathLike, lut: np.ndarray | None = None
    ) -> np.ndarray:
        """Turn file ids into dataset ids, or with ``lut`` directly into train ids.

        Args:
            label_map: uint8 ``(H, W)`` of file ids; not changed.
            name: Name of the label map in errors.
            lut: uint8 ``(256,)`` from dataset id to train id; it is composed
                with this reader's table, so that each pixel is mapped once.

        Returns:
            uint8 ``(H, W)``, a new array.

        Raises:
            InvalidInputError: The data set does not have one of the ids.
        """
        self._check(label_map, name)
        return cv2.LUT(label_map, self.table if lut is None else lut[self.table])

    def renumbered(self, num_classes: int, new_ids: Sequence[int]) -> 'LabelReader':
        """Return a reader of the same files for a data set with another numbering of classes.

        Args:
            num_classes: C of that data set.
            new_ids: Its dataset id for each dataset id of this reader, 0 to C.

        Raises:
            InvalidInputError: C or an id is out of range.
        """
        allowed = np.flatnonzero(self._refused == 0).tolist()
        void = [i for i in allowed if self.table[i] == VOID]
        ids = {i: int(new_ids[self.table[i]]) for i in allowed if i not in void}
        return LabelReader(num_classes, ids, void, self.read_file)

    def has_foreign(self, label_map: np.ndarray) -> bool:
        """Say whether a label map holds a file id that the data set does not have.

        Args:
            label_map: uint8 ``(H, W)`` of file ids, at least one pixel.
        """
        # A maximum is ten times cheaper than a table.  It decides for label maps without void, then
        # for those with void, moved from 255 to 0.  The table decides the rest.
        if label_map.max() <= self._last_of_run:
            return False
        if not self._refused[VOID] and (label_map + np.uint8(1)).max() <= self._last_of_run + 1:
            return False
        return bool(cv2.LUT(label_map, self._refused).any())

    def _check(self, label_map: np.ndarray, name: str | os.PathLike) -> None:
        if not self.has_foreign(label_map):
            return
        ids, counts = np.unique(label_map, return_counts=True)
        foreign = self._refused[ids] == 1
        pairs = zip(ids[foreign], counts[foreign], strict=True)
        listed = ', '.join(f'{i} ({n} pixels)' for i, n in pairs)
        raise InvalidInputError(
            f'label map {os.fspath(name)!r} has an id outside the data set: {listed}, '
            f'expected {self._allowed}; what other ids mean is said by file_ids, void_ids or '
            'reduce_zero_label of the data set, and by ids of a FolderDataset'
        )


def _check_ids(file_ids: Mapping[int, int], void_ids: Sequence[int], num_classes: int) -> None:
    for key in [*file_ids, *void_ids]:
        if not 0 <= key <= 255:
            raise expected('id of a label file', key, '0 to 255')
    for key, value in file_ids.items():
        if not (0 <= value <= num_classes or value == VOID):
            raise expected(f'dataset id of file id {key}', value, f'0 to {num_classes}, or {VOID}')


def _ranges(ids: Sequence[int] | Mapping[int, int]) -> str:
    """Write ids as ranges: ``0..10, 255`` for ``{0, …, 10, 255}``."""
    runs: list[list[int]] = []
    for i in sorted(ids):
        if runs and i == runs[-1][1] + 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    return ', '.join(str(a) if a == b else f'{a}..{b}' for a, b in runs)
