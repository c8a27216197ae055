import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from incseg.datasets import image_lists, list_files
from incseg.datasets.class_subset import ClassSubset
from incseg.datasets.dataset_of_files import DatasetOfFiles
from incseg.datasets.image_lists import at_split
from incseg.datasets.label_maps.file_ids import reader_of
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.metainfo import (
    check_indices,
    names_of,
    resolve_metainfo,
    resolve_prefix,
    resolve_suffixes,
    transform_of,
)
from incseg.registry import DATASETS
from incseg.utils.pictures.rule import PictureRule
from incseg.utils.rules import expected


@DATASETS.register_module()
class SegDataset(DatasetOfFiles):
    """A data set of images and label maps; the base class of every data set.

    A data set is declared, not programmed.  A subclass names its folders
    (``DATA_PREFIX``, ``ANN_FILE``), its classes (``METAINFO``, the background
    first) and the meaning of the ids in its files (:meth:`make_label_reader`).
    With a ``pipeline`` of its own it yields dataset ids (0 background, 1..C,
    255 void).  For a step of a protocol it is wrapped in an
    :class:`IncrementalDataset`.

    Args:
        data_root: Folder of the data set.
        split: Name of the split, or several splits to join; it replaces
            ``{split}`` in the paths below.
        pipeline: Transforms, or their config dicts.
        data_prefix: ``dict(img_path=…, seg_map_path=…)``, the folders of
            images and label maps below ``data_root``; replaces parts of
            ``DATA_PREFIX``.
        ann_file: List of images, one per line, below ``data_root``; None for
            ``ANN_FILE``.  A line is an id, a path, or an image and its mask (see
            :func:`read_list`).  If it is ``''``, every image in the folder is used, sorted
            by name.
        img_suffix: Ending of image files, or several endings; capitals do not matter.
        seg_map_suffix: Ending of label files.
        metainfo: Replaces parts of ``METAINFO``, as ``dict(classes=…, palette=…)``.
        classes: Names of the classes to learn, in order; None for all of ``metainfo``.
        others: ``'background'`` or ``'void'``: what pixels of the other classes become.
        only_with_classes: Whether images that show none of ``classes`` are left out.  Images
            without a label map stay.
        file_ids, void_ids, reduce_zero_label: What ids in label files mean, see
            :func:`incseg.datasets.label_maps.reader_of`; by default as in
            :meth:`make_label_reader`.
        partly_labelled: Whether images may lack their label map, so that they serve
            only for learning from image-level labels; see :attr:`has_mask`.
        exif: ``'apply'``: pictures are turned as their EXIF orientation says, as viewers and
            annotation tools show them; ``'ignore'``: they stay as they are stored.  Label maps
            are never turned.
        value_range: The values of black and white in pictures of more than 8 bits; None
            refuses such pictures.  See :class:`PictureRule`.
        follow_links: Whether links in the folders of images and label maps may lead
            out of the data set; the folders and ``data_root`` may always be links.
        **kwargs: Of :class:`mmengine.dataset.BaseDataset` (``indices``,
            ``test_mode``, ``lazy_init``, …).

    Raises:
        MissingFileError: The root, a folder, the list, an image or a label map
            is missing; the message names the path and the source of the data.
        InvalidInputError: The classes or the list are not as described; or an id of
            the list, or a link, leads out of the data set.
    """

    #: ``{split}`` stands for the split's name.
    DATA_PREFIX: ClassVar[dict[str, str]] = dict(
        img_path='images/{split}', seg_map_path='labels/{split}'
    )
    ANN_FILE: ClassVar[str] = ''
    #: Source of the data, in words, for errors about missing files.
    how_to_get: ClassVar[str] = (
        'put images and label maps there, or name another folder with data_root'
    )

    def __init__(
        self,
        data_root: str = '',
        split: str | Sequence[str] = 'train',
        pipeline: Sequence[dict | Callable] = (),
        *,
        data_prefix: Mapping[str, str] | None = None,
        ann_file: str | None = None,
        img_suffix: str | Sequence[str] = ('.jpg', '.jpeg', '.png'),
        seg_map_suffix: str = '.png',
        metainfo: Mapping[str, Any] | None = None,
        classes: Sequence[str] | None = None,
        others: str = 'background',
        only_with_classes: bool = False,
        file_ids: Mapping[int, int | str] | Sequence[int | str] | None = None,
        void_ids: Sequence[int] | None = None,
        reduce_zero_label: bool = False,
        partly_labelled: bool = False,
        exif: str = 'apply',
        value_range: Sequence[float] | None = None,
        follow_links: bool = False,
        **kwargs: Any,
    ) -> None:
        self.splits = [split] if isinstance(split, str) else names_of(split)
        self.img_suffix = resolve_suffixes('img_suffix', img_suffix)
        [self.seg_map_suffix] = resolve_suffixes('seg_map_suffix', [seg_map_suffix])
        self.partly_labelled = partly_labelled
        self.follow_links = follow_links
        #: How the pictures are read.
        self.picture_rule = PictureRule(exif, value_range)  # type: ignore[arg-type]
        if not isinstance(only_with_classes, bool):
            raise expected('only_with_classes', only_with_classes, 'True or False')
        self.only_with_classes = only_with_classes
        if kwargs.get('filter_cfg') and type(self).filter_data is DatasetOfFiles.filter_data:
            raise expected(
                'filter_cfg',
                kwargs['filter_cfg'],
                f'None: {type(self).__name__} filters nothing',
            )
        check_indices(kwargs.get('indices'))
        lazy_init = kwargs.pop('lazy_init', False)
        super().__init__(
            ann_file=self.ANN_FILE if ann_file is None else ann_file,
            metainfo=self.resolve_metainfo(metainfo),
            data_root=str(data_root),
            data_prefix=self.resolve_prefix(data_prefix),
            pipeline=[transform_of(each) for each in pipeline],
            lazy_init=True,
            **kwargs,
        )
        #: The classes that are learned, among those that the files have.
        whole = self.metainfo
        self.subset = ClassSubset(whole, classes, others, type(self).__name__)
        reader = reader_of(
            self.make_label_reader(),
            whole['classes'],
            file_ids,
            void_ids,
            reduce_zero_label,
        )
        self._metainfo: dict[str, Any] = self.subset.metainfo
        #: :class:`LabelReader` of this data set's files.
        self.label_reader = (
            reader
            if classes is None
            else reader.renumbered(self.num_classes, self.subset.new_ids.tolist())
        )
        if not lazy_init:
            self.full_init()

    @property
    def num_classes(self) -> int:
        """C, the number of classes without the background."""
        return len(self._metainfo['classes']) - 1

    @property
    def image_ids(self) -> list[str]:
        """The id of every image, in order."""
        return [entry['image_id'] for entry in self.entries()]

    def make_label_reader(self) -> LabelReader:
        """Return the reader of the label files; by default the ids in them are dataset ids.

        Override it for a data set whose files have other ids.
        """
        return LabelReader(self.num_classes)

    def list_image_ids(self, split: str) -> list[str]:
        """Return the image ids of one split, as its list or else its image folder gives them.

        An id is the path of the image below the image folder, without the ending.
        """
        if self.ann_file:
            file, places = at_split(self.ann_file, split), self.list_places(split)
            return list_files.read_id_list(file, self.how_to_get, places)
        folder = at_split(self.data_prefix['img_path'], split)
        return image_lists.ids_in_folder(
            folder, self.img_suffix, self.how_to_get, self.data_root, self.follow_links
        )

    def list_places(self, split: str) -> list_files.Places:
        """Return where the paths of a list of images lead."""
        images = at_split(self.data_prefix['img_path'], split)
        labels = at_split(self.data_prefix['seg_map_path'], split)
        return list_files.Places(self.data_root, images, labels, self.img_suffix)

    def _listed(self, split: str) -> dict[str, list_files.Entry] | None:
        """Return the entries of a split's list by id; None without a list."""
        file, places = at_split(self.ann_file, split), self.list_places(split)
        return list_files.entries_by_id(file, self.how_to_get, places) if file else None

    def _tell_files(self, split: str) -> Callable[[str, bool], None]:
        """Return what logs the counts of a split's files."""
        return functools.partial(image_lists.tell_once, f'{type(self).__name__} {split}')

    def load_data_list(self) -> list[dict]:
        """Return a dict of ``image_id``, ``img_path`` and ``seg_map_path`` for every image."""
        image_lists.check_root(self.data_root, self.how_to_get)
        data_list: list[dict] = []
        for split in self.splits:
            data_list += image_lists.pair_files(
                self.list_image_ids(split),
                Path(at_split(self.data_prefix['img_path'], split)),
                self.img_suffix,
                Path(at_split(self.data_prefix['seg_map_path'], split)),
                self.seg_map_suffix,
                self.how_to_get,
                self.partly_labelled,
                self.data_root,
                self.follow_links,
                self._listed(split),
                self._tell_files(split),
            )
        image_lists.check_unique([info['image_id'] for info in data_list], self.splits)
        return data_list

    def get_data_info(self, idx: int) -> dict:
        """Return the input of a pipeline for one image.

        Args:
            idx: Index of the image.

        Returns:
            A new dict: the entry of :meth:`load_data_list`, ``label_reader``,
            ``picture_rule``, and ``seg_fields``, an empty list for the keys of label maps.
        """
        info = super().get_data_info(idx)
        info.update(seg_fields=[], label_reader=self.label_reader, picture_rule=self.picture_rule)
        return info

    @classmethod
    def resolve_metainfo(cls, metainfo: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the classes and the colours of a data set, without reading files.

        Args:
            metainfo: Replaces parts of ``METAINFO``, see
                :func:`incseg.datasets.metainfo.resolve_metainfo`.
        """
        return resolve_metainfo(cls.METAINFO, metainfo, cls.__name__)

    @classmethod
    def metainfo_of(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config of this data set declares: all its classes and their colours.

        Args:
            part: The config, without reading files.
        """
        return cls.resolve_metainfo(part.get('metainfo'))

    @classmethod
    def resolve_prefix(cls, data_prefix: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the folders of images and label maps, ``{split}`` for the name of a split.

        Args:
            data_prefix: Replaces parts of ``DATA_PREFIX``.

        Raises:
            InvalidInputError: It has an unknown key, or a folder is no text.
        """
        return resolve_prefix(cls.DATA_PREFIX, data_prefix, cls.__name__)
