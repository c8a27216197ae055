"""A folder of somebody's own images and masks, in any of the usual layouts."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from incseg.datasets import image_lists
from incseg.datasets.coco_json.painted import PaintedMasks
from incseg.datasets.folders.class_ids import FORMS, ClassIds, class_ids, with_colours
from incseg.datasets.folders.class_table import read_class_table
from incseg.datasets.folders.held_out import FEWEST, held_out
from incseg.datasets.folders.layout import Layout, find_layout
from incseg.datasets.folders.names import role_of
from incseg.datasets.folders.splits import SplitChoice, choose_splits
from incseg.datasets.image_lists import at_split
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.list_files import PICTURES, ending
from incseg.datasets.picture_files import label_maps_without_image
from incseg.datasets.seg_dataset import SegDataset
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import DATASETS
from incseg.utils.file_digests import file_digests
from incseg.utils.rules import expected, is_number

_NO_MASKS = '(no masks)'


@DATASETS.register_module()
class FolderDataset(SegDataset):
    """Your own images and masks, in any of the usual layouts.

    The layout is found by looking (:func:`find_layout`): ``images/ labels/``, ``img_dir/
    ann_dir/``, ``JPEGImages/ SegmentationClass/`` and similar names, with ``train/`` and ``val/``
    inside, outside, in the names (``train_masks/``), as lists, or not at all; masks beside their
    images (``a.jpg``, ``a_mask.png``); JSON files in COCO's form.  ``incseg init DIR`` shows
    what is found, and writes a config.

    Masks are palette, grey or RGB pictures.  RGB masks need the colours of the classes.

    Args:
        data_root: The folder.
        split: ``'train'`` or ``'val'``, or any split that the folder has, or several.  ``'val'`` is
            also ``valid``, ``validation``, and, where there is none of them, ``test``.  A folder
            without splits has ``'train'``, and with ``held_out`` also ``'val'``.
        pipeline: Transforms, or their config dicts.
        ids: The classes in order, by name: the value of each in the masks, as ``dict(cat=1,
            dog=4)``; its colour, as ``dict(cat=[128, 0, 0])``; its category in a JSON file.  The
            name ``'background'`` may have a value too (else 0, or black), ``'void'`` one or
            several (else 255).  Or a list of names, which have the ids 1, 2, …, or the colours
            in ``colours``, or are categories.
        colours: File with the colours of the classes, below ``data_root``, in the forms of
            :func:`read_class_table`.
        images, masks: Folders of images and masks below ``data_root``, may have ``{split}``;
            ``'auto'`` looks for them.  ``masks`` may be a JSON file; None: images have none.
        held_out: Share of the images that are kept for the test where the folder has no split
            for it, chosen by content, see :func:`held_out`; None for none.
        only_with_masks: Whether images without a mask are left out, instead of refused.
        img_suffix, seg_map_suffix: Endings of images and masks; None looks for them.
        data_prefix: ``dict(img_path=…, seg_map_path=…)``, another way to say ``images`` and
            ``masks``.
        metainfo: ``classes`` and ``palette``, where ``ids`` does not name the classes.
        **kwargs: Of :class:`SegDataset`.

    Raises:
        MissingFileError: The folder, its images or its masks are missing.
        InvalidInputError: An argument is not as described, or two folders may be meant.

    Attributes:
        layout: The layout; None before the files are listed.
    """

    METAINFO: ClassVar[dict] = dict()
    DATA_PREFIX: ClassVar[dict[str, str]] = dict()
    how_to_get: ClassVar[str] = (
        'put images and masks there, name another folder with data_root, or the folders in it '
        'with images and masks'
    )
    layout: Layout | None = None

    def __init__(
        self,
        data_root: str = '',
        split: str | Sequence[str] = 'train',
        pipeline: Sequence = (),
        *,
        ids: Mapping[str, Any] | Sequence[str] | None = None,
        colours: str | None = None,
        images: str = 'auto',
        masks: str | None = 'auto',
        held_out: float | None = None,
        only_with_masks: bool = False,
        img_suffix: str | Sequence[str] | None = None,
        seg_map_suffix: str | None = None,
        data_prefix: Mapping[str, str] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        prefix = self.resolve_prefix(data_prefix)
        self.folders = prefix.get('img_path', images), prefix.get('seg_map_path', masks)
        if held_out is not None and not (is_number(held_out) and 0 < held_out < 1):
            raise expected('held_out', held_out, 'a share above 0 and below 1, or None')
        self.share, self.only_with_masks = held_out, only_with_masks
        for key in ('file_ids', 'reduce_zero_label'):
            if ids is not None and kwargs.get(key):
                raise expected(key, kwargs[key], 'no value: ids says what the values are')
        self._ids, self._colours = ids, colours
        texts = isinstance(ids, Mapping) and any(isinstance(each, str) for each in ids.values())
        #: whether masks are known to be objects of a JSON file, before anything is read
        self._json = (self.folders[1] or '').endswith('.json') or texts
        self._own_list = bool(kwargs.get('ann_file'))
        self._suffixes = img_suffix, seg_map_suffix
        if self.folders[1] is None:
            kwargs['partly_labelled'] = True
        super().__init__(
            data_root,
            split,
            pipeline,
            metainfo=self.metainfo_of(dict(ids=ids, metainfo=metainfo, masks=self.folders[1])),
            img_suffix=PICTURES if img_suffix is None else img_suffix,
            seg_map_suffix='.png' if seg_map_suffix is None else seg_map_suffix,
            **kwargs,
        )

    @classmethod
    def metainfo_of(cls, part: Mapping[str, Any]) -> dict[str, Any]:
        """Return the classes and colours that a config of this data set declares.

        Args:
            part: The config, of which ``ids`` and ``metainfo`` are read.

        Raises:
            InvalidInputError: It names no classes.
        """
        ids, given = part.get('ids'), part.get('metainfo')
        if ids is None:
            if not isinstance(given, Mapping) or 'classes' not in given:
                raise InvalidInputError(
                    f'{cls.__name__} has no classes, expected ids: {FORMS}; incseg init DIR '
                    'writes a config for a folder'
                )
            return cls.resolve_metainfo(given)
        named = _named(ids)
        names = ('background', *named.names)
        if isinstance(given, Mapping) and tuple(given.get('classes', names)) != names:
            raise expected('metainfo.classes', given['classes'], f'{list(names)}, as in ids')
        own = named.palette()
        palette = {} if own is None else dict(palette=own)
        return cls.resolve_metainfo({**palette, **(given or {}), 'classes': names})

    def make_label_reader(self) -> LabelReader:
        """Return the reader of the masks, in which ids or colours stand for classes."""
        names = self.metainfo['classes'][1:]
        if self._json:
            return LabelReader(len(names))
        ids = class_ids(list(names) if self._ids is None else self._ids)
        if self._colours is None:
            return ids.reader()
        image_lists.check_root(self.data_root, self.how_to_get)
        path = os.path.join(self.data_root, self._colours)
        return with_colours(ids, read_class_table(path), path).reader()

    def load_data_list(self) -> list[dict]:
        """Return a dict of ``image_id``, ``img_path`` and ``seg_map_path`` for every image.

        Raises:
            MissingFileError: Images or masks are missing.
            InvalidInputError: There is no such split, or too few images to hold some out.
        """
        layout = self._look()
        choice, given = self._chosen(layout), (self.splits, self.partly_labelled)
        entries: list[dict] = []
        try:
            self.partly_labelled |= self.only_with_masks
            for split in choice.folders:
                self.splits = [split]
                self.data_prefix = self._prefix(layout, split)
                entries += super().load_data_list()
        finally:
            self.splits, self.partly_labelled = given
        image_lists.check_unique([entry['image_id'] for entry in entries], self.splits)
        #: the images of all splits that this one was taken from
        self._whole = list(entries)
        masked = [entry for entry in entries if entry.get('has_mask', True)]
        if self.only_with_masks and not masked:
            raise MissingFileError(f'no image of folder {self.data_root!r} has a mask')
        if choice.part is None or self.share is None:
            return masked if self.only_with_masks else entries
        test = held_out(file_digests([entry['img_path'] for entry in entries]), self.share)
        if choice.part == 'train':
            pairs = zip(entries, test, strict=True)
            kept = [entry for entry, out in pairs if not out]
            return [e for e in kept if e.get('has_mask', True)] if self.only_with_masks else kept
        if not test.any():
            raise InvalidInputError(
                f'folder {self.data_root!r} has {len(entries)} images, expected at least {FEWEST} '
                'to hold some out for the test; put test images into a folder val/ beside them'
            )
        pairs = zip(entries, test, strict=True)
        return [entry for entry, out in pairs if out and entry.get('has_mask', True)]

    def list_image_ids(self, split: str) -> list[str]:
        """Return the image ids of one split, without those of masks beside the images."""
        if self._painted is not None:
            return [os.path.splitext(name)[0] for name in self._painted.names]
        ids = super().list_image_ids(split)
        layout = self._look()
        if self.ann_file:
            return ids
        if layout.together:
            masks = [self.seg_map_suffix]
            ids = [i for i in ids if not any(ending(i + end, masks) for end in self.img_suffix)]
        others = ('masks', 'neither')
        return [i for i in ids if not any(role_of(part) in others for part in i.split('/')[:-1])]

    def unused_label_maps(self) -> list[str]:
        """Return the masks that belong to no image of the splits, held out or not, sorted."""
        self.full_init()
        layout = self._look()
        if self.ann_file or self._indices is not None or self._painted or layout.masks is None:
            return []
        folders = [
            self._prefix(layout, split)['seg_map_path'] for split in self._chosen(layout).folders
        ]
        return label_maps_without_image(
            self._whole, folders, self.seg_map_suffix, self.data_root, self.follow_links
        )

    def _tell_files(self, split: str) -> Callable[[str, bool], None]:
        if self.folders[1] is None:  # nobody expects masks
            return lambda line, complete: None
        return super()._tell_files(split)

    _painted: PaintedMasks | None = None

    def _look(self) -> Layout:
        """Return the layout, and take over what it says."""
        if self.layout is None:
            self.layout = find_layout(self.data_root, *self.folders, self.follow_links)
            if self.layout.is_coco and not self._json and isinstance(self._ids, Mapping):
                raise expected(
                    'ids',
                    dict(self._ids),
                    f'names of the categories of {self.layout.masks!r}, as {list(self._ids)}, or '
                    f'masks={self.layout.masks!r} with their ids',
                )
            if self._suffixes[0] is None:
                self.img_suffix = self.layout.image_suffixes
            if self._suffixes[1] is None:
                self.seg_map_suffix = self.layout.mask_suffix
            if self.layout.lists and not self._own_list:
                self.ann_file = os.path.join(self.data_root, self.layout.lists)
        return self.layout

    def _prefix(self, layout: Layout, split: str) -> dict[str, str]:
        """Return the folders of a split; objects of a JSON file are painted."""
        images = os.path.join(self.data_root, at_split(layout.images, split))
        masks = os.path.join(
            self.data_root, at_split(_NO_MASKS if layout.masks is None else layout.masks, split)
        )
        if layout.is_coco:
            ids = self.subset.names[1:] if self._ids is None else self._ids
            categories = class_ids(ids, of_categories=True)
            self._painted = PaintedMasks(
                Path(masks),
                Path(images),
                categories.values or {name: name for name in categories.names},
                categories.void,
            )
            self._painted.paint()
            masks = str(self._painted.folder)
            kinds = [os.path.splitext(name)[1] for name in self._painted.names]
            self.img_suffix = tuple(dict.fromkeys(kinds)) or self.img_suffix
        return dict(img_path=images, seg_map_path=masks)

    def _chosen(self, layout: Layout) -> SplitChoice:
        if not self._own_list:
            return choose_splits(self.splits, layout, self.share)
        if self.share is not None:
            raise expected('held_out', self.share, 'None: ann_file lists the images of a split')
        return SplitChoice(self.splits)


def _named(ids: Any) -> ClassIds:
    """Return the classes of ``ids``, whose values may be ids, colours or categories."""
    try:
        return class_ids(ids)
    except InvalidInputError:
        if isinstance(ids, Mapping) and not any(isinstance(v, list | tuple) for v in ids.values()):
            return class_ids(ids, of_categories=True)
        raise
