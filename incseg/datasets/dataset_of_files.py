"""What a data set knows of its files: their classes, whether they are sound, their content."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import closing

import numpy as np
from mmengine.dataset import BaseDataset

from incseg.datasets.image_lists import at_split
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.picture_files import MANY, check_sizes, label_maps_without_image
from incseg.errors import InvalidInputError
from incseg.protocols import ClassIndex
from incseg.utils.file_digests import file_digests
from incseg.utils.pictures.rule import PictureRule
from incseg.utils.progress import Progress
from incseg.utils.rules import expected


class DatasetOfFiles(BaseDataset):
    """A data set that lists a file for each image, and one for each label map."""

    splits: list[str]
    seg_map_suffix: str
    follow_links: bool
    picture_rule: PictureRule
    label_reader: LabelReader
    only_with_classes: bool
    _presence: np.ndarray | None = None

    def entries(self, indices: Sequence[int] | None = None) -> list[dict]:
        """Return what :meth:`load_data_list` says of images.

        Args:
            indices: Indices of the images; None for all.
        """
        chosen = range(len(self)) if indices is None else indices
        return [BaseDataset.get_data_info(self, int(i)) for i in chosen]

    @property
    def has_mask(self) -> np.ndarray:
        """Bool ``(len(self),)``: whether each image has a label map.

        All have one, unless the data set is ``partly_labelled``.
        """
        return np.array([entry.get('has_mask', True) for entry in self.entries()], np.bool_)

    def presence(self, num_workers: int | None = None, progress: bool = True) -> np.ndarray:
        """Return the classes that occur in each image.

        Several processes scan the label files once; the result is cached on
        disk (see :class:`incseg.protocols.ClassIndex`).

        Args:
            num_workers: Number of processes; by default one per processor core.
            progress: Whether to print progress on stderr.

        Returns:
            Bool ``(len(self), C + 1)``, column = dataset id.  The row of an
            image without a label map is False.

        Raises:
            InvalidInputError: A label file cannot be read or has a foreign id.
        """
        if self._presence is None:
            self._presence = self._scan(self.entries(), num_workers, progress)
        return self._presence

    def _scan(self, entries: Sequence[dict], num_workers: int | None, progress: bool) -> np.ndarray:
        """Return the classes of the images of some entries, as :meth:`presence` does."""
        labelled = [i for i, entry in enumerate(entries) if entry.get('has_mask', True)]
        files = [entries[i]['seg_map_path'] for i in labelled]
        name = f'{type(self).__name__} {"+".join(self.splits)}'
        presence = np.zeros((len(entries), self.label_reader.num_classes + 1), np.bool_)
        presence[labelled] = ClassIndex.scan(
            files,
            self.label_reader,
            self.label_reader.num_classes,
            num_workers=num_workers,
            description=f'classes in {name}',
            progress=progress,
        ).presence
        return presence

    def filter_data(self) -> list[dict]:
        """Return the entries of :meth:`load_data_list` that ``only_with_classes`` leaves.

        The label maps are scanned for it, see :meth:`presence`.

        Raises:
            InvalidInputError: No image is left.
        """
        if not self.only_with_classes:
            return self._within_indices(self.data_list)
        rows = self._scan(self.data_list, None, True)
        kept = [
            entry
            for entry, row in zip(self.data_list, rows, strict=True)
            if row[1:].any() or not entry.get('has_mask', True)
        ]
        if not kept:
            names = ', '.join(repr(name) for name in self.metainfo['classes'][1:])
            raise InvalidInputError(
                f'no image of {type(self).__name__} {"+".join(self.splits)} shows {names}: name '
                'other classes, or leave out only_with_classes'
            )
        return self._within_indices(kept)

    def _within_indices(self, entries: list[dict]) -> list[dict]:
        """Return the entries, once the argument ``indices`` names none beyond them."""
        if isinstance(self._indices, Sequence | np.ndarray):
            beyond = [int(i) for i in self._indices if i >= len(entries)]
            if beyond:
                raise expected(
                    f'indices of {type(self).__name__} {"+".join(self.splits)}',
                    beyond,
                    f'numbers below {len(entries)}, the number of its images',
                )
        return entries

    def check_files(self) -> None:
        """Refuse a broken picture, and a label map of another size than its image.

        Heads and ends of all files are read, once.  A data set whose files are no pictures
        overrides this method.

        Raises:
            MissingFileError, InvalidInputError: Naming the first such file.
        """
        check_sizes(self.entries(), self.label_reader.read_file, self.picture_rule)

    def unused_label_maps(self) -> list[str]:
        """Return the label maps in the folders of the splits that belong to no image, sorted.

        A data set with a list of images leaves out what is not in it: it has none.
        """
        entries, folder = self.entries(), self.data_prefix.get('seg_map_path')
        cut = self.ann_file or self._indices is not None
        if cut or not folder or not any('seg_map_path' in entry for entry in entries):
            return []
        folders = [at_split(folder, split) for split in self.splits]
        return label_maps_without_image(
            entries, folders, self.seg_map_suffix, self.data_root, self.follow_links
        )

    def image_digests(self, indices: Sequence[int] | None = None) -> list[bytes]:
        """Return a digest of the content of each image file; files are read once.

        An image without a file is left out.

        Args:
            indices: Indices of the images; None for all.
        """
        entries = self.entries(indices)
        return file_digests([entry['img_path'] for entry in entries if 'img_path' in entry])

    def file_states(self, indices: Sequence[int] | None = None) -> list[tuple[str, int, int]]:
        """Return (name, size in bytes, modification time in ns) of the files of images.

        Each image gives one entry for the image file, and one for the label map if it
        has one.  Equal states of two data sets mean the same images and labels.

        Args:
            indices: Indices of the images; None for all.
        """
        return [
            (os.path.basename(path), (state := os.stat(path)).st_size, state.st_mtime_ns)
            for path in self.input_files(indices)
        ]

    def fingerprint(self, indices: Sequence[int] | None = None) -> str:
        """Return 16 hexadecimal digits, different for other images, label maps or ids of images.

        The files are read once; later calls compare their sizes, times and inodes.

        Args:
            indices: Indices of the images; None for all.

        Raises:
            MissingFileError: A file is missing.
            InvalidInputError: A file cannot be read.
        """
        names = [entry['image_id'] for entry in self.entries(indices)]
        files = self.input_files(indices)
        with closing(Progress(len(files), 'reading images and masks', len(files) >= MANY)) as bar:
            digests = file_digests(files, bar.update)
        whole = hashlib.sha256('\0'.join(names).encode('utf-8', 'surrogateescape'))
        whole.update(b''.join(digests))
        return whole.hexdigest()[:16]

    def input_files(self, indices: Sequence[int] | None = None) -> list[str]:
        """Return the paths of images and, where they have one, of their label maps.

        Args:
            indices: Indices of the images; None for all.
        """
        return [
            info[key]
            for info in self.entries(indices)
            for key in ('img_path', 'seg_map_path')
            if key in info and (key == 'img_path' or info.get('has_mask', True))
        ]
