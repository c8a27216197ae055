"""Which classes occur in which image, found once and cached on disk."""

import os
from collections.abc import Sequence
from contextlib import closing

import numpy as np
import numpy.typing as npt

from incseg.errors import InvalidInputError
from incseg.protocols.arguments import whole_number
from incseg.protocols.parallel_scan import Presence, Reader, available_cores, parallel_scan
from incseg.protocols.presence_cache import PresenceCache
from incseg.protocols.progress import Progress
from incseg.protocols.protocol import MAX_CLASSES
from incseg.protocols.scan_key import file_states, scan_key


class ClassIndex:
    """The classes that occur in each image of a data set.

    Args:
        files: The label files.
        presence: Bool ``(files, C + 1)``: does the file hold the dataset id of the column?

    Attributes:
        files: The label files, in the order they were given.
        presence: As above; this is what ``Protocol.select`` takes.

    Raises:
        InvalidInputError: ``presence`` is not one bool row per file.
    """

    def __init__(self, files: Sequence[str | os.PathLike[str]], presence: Presence) -> None:
        shape: tuple[int, ...] = presence.shape
        if presence.dtype != np.bool_ or len(shape) != 2 or shape[0] != len(files):
            raise InvalidInputError(
                f'presence is {presence.dtype} {shape}: expected bool ({len(files)}, classes + 1)'
            )
        self.files = tuple(os.fspath(file) for file in files)
        self.presence = presence

    @classmethod
    def scan(
        cls,
        files: Sequence[str | os.PathLike[str]],
        read: Reader,
        num_classes: int,
        cache_dir: str | os.PathLike[str] | None = None,
        num_workers: int | None = None,
        description: str = 'class index',
        progress: bool = True,
    ) -> 'ClassIndex':
        """Reads every label file, or takes the result of an earlier scan from the cache.

        The cache is good as long as no file's size, modification time or name (below the files'
        common folder) changed, and list, reader and ``num_classes`` are the same; the order of
        the list does not matter.  A reader is known by its ``cache_key`` attribute if it has
        one, else by its module and name and by what is bound to it (``functools.partial``
        arguments, the state of an object).  Change ``cache_key`` when its code changes meaning.

        Args:
            files: Paths of the label files.
            read: Picklable ``read(path)`` returning uint8 dataset ids of any shape, 255 = void.
            num_classes: C, classes without background, 1 to 254.
            cache_dir: Folder of cached scans.  Default: ``class_index`` below
                ``$INCSEG_CACHE_DIR``, ``$XDG_CACHE_HOME/incseg`` or ``~/.cache/incseg``.
            num_workers: Processes.  Default: the processor cores this process may use.  A few
                files, or fewer than two workers, are read in this process.
            description: What the progress line calls the work.
            progress: Whether to report on stderr.

        Returns:
            The index, in the order of ``files``.

        Raises:
            MissingFileError: A file does not exist.
            InvalidInputError: A file holds an id above ``num_classes`` other than 255, ``read``
                did not return uint8, or an argument is not as described.
            Exception: Whatever ``read`` raises, from a worker too.

        Warns:
            UserWarning: The cache could not be written.  The result is complete all the same.
        """
        num_classes = whole_number('num_classes', num_classes, 1, MAX_CLASSES)
        if num_workers is None:
            num_workers = available_cores()
        workers = whole_number('num_workers', num_workers, 0)
        paths = [os.fspath(file) for file in files]
        states = file_states(paths)
        order = sorted(range(len(paths)), key=states.__getitem__)
        key = scan_key([states[i] for i in order], read, num_classes)
        cache = PresenceCache(key, cache_dir)
        rows = cache.load((len(paths), num_classes + 1))
        if rows is None:
            ordered = [paths[i] for i in order]
            with closing(Progress(len(paths), description, progress)) as bar:
                rows = parallel_scan(ordered, read, num_classes, workers, bar.update)
            cache.save(rows)
        presence = np.empty_like(rows)
        presence[order] = rows
        return cls(paths, presence)

    def counts(self) -> npt.NDArray[np.int64]:
        """Number of images that hold each dataset id: int64 ``(C + 1,)``, background first."""
        counts: npt.NDArray[np.int64] = self.presence.sum(axis=0, dtype=np.int64)
        return counts

    def __len__(self) -> int:
        return len(self.files)
