from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from incseg.constants import VOID
from incseg.datasets import image_lists
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.seg_dataset import SegDataset
from incseg.utils.pictures.rule import PLAIN
from incseg.utils.rules import any_of, expected


class JoinedDataset(SegDataset):
    """Images of several data sets, with one numbering of their classes.

    A subclass lists the joined classes (``METAINFO``), the classes that have
    another name in a part (``RENAMED``), and the data set of each split
    (:meth:`make_part`).  The parts follow one another in the order of
    ``split``.  Each part keeps its files, its list of images and the meaning
    of the ids in its label maps.

    Args:
        data_root: A folder for :meth:`make_part`; the subclass defines which.
        split: The split, or several.
        pipeline: Transforms, or their config dicts.
        **kwargs: Arguments of :class:`SegDataset`, but for those that name files or say what
            ids in them mean.

    Attributes:
        parts: The data set of each split, with all its images.
        new_ids: For each part, int64 ``(C of the part + 1,)``: the joined
            dataset id of each of its dataset ids.

    Raises:
        InvalidInputError: A part has a class that the joined data set does not
            have, an image is in two parts, or an argument is for a data set
            with files of its own.
    """

    DATA_PREFIX: ClassVar[dict[str, str]] = {}
    #: name in a part -> name in the joined data set
    RENAMED: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        data_root: str = '',
        split: str | Sequence[str] = 'train',
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        for key in ('data_prefix', 'ann_file', 'img_suffix', 'seg_map_suffix'):
            if key in kwargs:
                raise expected(
                    key,
                    kwargs[key],
                    f'no value: {type(self).__name__} has no files of its own; its parts say '
                    'where theirs are',
                )
        for key in ('file_ids', 'void_ids', 'reduce_zero_label'):
            if kwargs.get(key):
                raise expected(
                    key,
                    kwargs[key],
                    f"no value: the files of {type(self).__name__}'s parts have different ids; "
                    'each part says the meaning of its own',
                )
        super().__init__(data_root, split, pipeline, **kwargs)

    @abstractmethod
    def make_part(self, split: str) -> tuple[SegDataset, np.ndarray]:
        """Return the data set that a split stands for, and the images to take from it.

        Args:
            split: One of the names in the argument ``split`` of the class.

        Returns:
            The data set, and int64 ``(n,)``: the indices of the images in it.
        """

    def load_data_list(self) -> list[dict]:
        """Return the entries of all parts, one part after the other.

        An entry also has ``part``, the number of its part, and ``index``, the index of the
        image in that part.

        Raises:
            InvalidInputError: A part has a class that this data set does not have, or an
                image is in two parts.
        """
        self.parts: list[SegDataset] = []
        self.new_ids: list[np.ndarray] = []
        self.part_readers: list[LabelReader] = []
        data_list: list[dict] = []
        for number, split in enumerate(self.splits):
            part, indices = self.make_part(split)
            ids = self._ids_here(part)
            self.parts.append(part)
            self.new_ids.append(ids)
            self.part_readers.append(part.label_reader.renumbered(self.num_classes, ids.tolist()))
            for index in indices.tolist():
                entry = part.get_data_info(index)
                shared = ('image_id', 'img_path', 'seg_map_path', 'has_mask')
                paths = {key: entry[key] for key in shared if key in entry}
                data_list.append(dict(paths, part=number, index=index))
        image_lists.check_unique([entry['image_id'] for entry in data_list], self.splits)
        return data_list

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return the input of a pipeline for one image, as :meth:`SegDataset.get_data_info` does.

        Its ``label_reader`` turns the file ids of the image's part into joined dataset ids.  Its
        ``picture_rule`` is that of this data set, or of the part where this one has none.
        """
        info = super().get_data_info(idx)
        info['label_reader'] = self.part_readers[info['part']]
        if self.picture_rule == PLAIN:
            info['picture_rule'] = self.parts[info['part']].picture_rule
        return info

    def places(self) -> np.ndarray:
        """Return the place of each image in the parts.

        Returns:
            int64 ``(len(self), 2)``: the number of the part, and the image's index in it.
        """
        return _places(self.entries())

    def joined_rows(
        self, rows: list[np.ndarray], entries: Sequence[dict] | None = None
    ) -> np.ndarray:
        """Turn a table of classes for each part into one table for all images.

        Args:
            rows: For each part bool ``(length of the part, C of the part + 1)``,
                column = dataset id of the part.
            entries: Entries of the images; None for all of this data set.

        Returns:
            Bool ``(images, C + 1)``, column = joined dataset id; True if the image's
            row has one of the classes that get this id.
        """
        places = _places(self.entries() if entries is None else entries)
        joined = np.zeros((len(places), self.num_classes + 1), np.bool_)
        for number, (of_part, ids) in enumerate(zip(rows, self.new_ids)):
            here = np.flatnonzero(places[:, 0] == number)
            for column, new_id in enumerate(ids):  # several classes of a part may be joined in one
                if new_id != VOID:
                    joined[here, new_id] |= of_part[places[here, 1], column]
        return joined

    def unused_label_maps(self) -> list[str]:
        """Return the label maps in the folders of all parts that belong to no image."""
        return [path for part in self.parts for path in part.unused_label_maps()]

    def _scan(self, entries: Sequence[dict], num_workers: int | None, progress: bool) -> np.ndarray:
        return self.joined_rows(
            [part.presence(num_workers, progress) for part in self.parts], entries
        )

    def _ids_here(self, part: SegDataset) -> np.ndarray:
        here = {name: i for i, name in enumerate(self.subset.names)}
        ids = []
        for name in part.metainfo['classes']:
            new_name = self.RENAMED.get(name, name)
            if new_name not in here:
                raise expected(
                    f'class {name!r} of {type(part).__name__}',
                    new_name,
                    f'a class of {type(self).__name__}: {any_of(here)}',
                )
            ids.append(self.subset.new_ids[here[new_name]])
        return np.array(ids, np.int64)


def _places(entries: Sequence[dict]) -> np.ndarray:
    return np.array([(each['part'], each['index']) for each in entries], np.int64).reshape(-1, 2)
