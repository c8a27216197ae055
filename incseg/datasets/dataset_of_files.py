"""What a data set knows of its files: whether they are sound, and what their content is."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import closing

from mmengine.dataset import BaseDataset

from incseg.datasets.image_lists import at_split
from incseg.datasets.label_maps.label_file import read_label_file
from incseg.datasets.picture_files import MANY, check_sizes, label_maps_without_image
from incseg.utils.file_digests import file_digests
from incseg.utils.pictures.rule import PictureRule
from incseg.utils.progress import Progress


class DatasetOfFiles(BaseDataset):
    """A data set that lists a file for each image, and one for each label map."""

    splits: list[str]
    seg_map_suffix: str
    follow_links: bool
    picture_rule: PictureRule

    def entries(self, indices: Sequence[int] | None = None) -> list[dict]:
        """Return what :meth:`load_data_list` says of images.

        Args:
            indices: Indices of the images; None for all.
        """
        chosen = range(len(self)) if indices is None else indices
        return [BaseDataset.get_data_info(self, int(i)) for i in chosen]

    def check_files(self) -> None:
        """Refuse a broken picture, and a label map of another size than its image.

        Heads and ends of all files are read, once.  A data set whose files are no pictures
        overrides this method.

        Raises:
            MissingFileError, InvalidInputError: Naming the first such file.
        """
        check_sizes(self.entries(), read_label_file, self.picture_rule)

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
