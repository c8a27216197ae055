"""PASCAL VOC 2012, and the list of the 10,582 training images of "VOC 2012 augmented"."""

import logging
from pathlib import Path
from typing import Any, ClassVar

from mmengine.logging import print_log

from incseg.datasets.image_lists import at_split
from incseg.datasets.label_maps.label_file import colour_map
from incseg.datasets.list_files import Places, read_id_list
from incseg.datasets.seg_dataset import SegDataset
from incseg.errors import MissingFileError
from incseg.registry import DATASETS


@DATASETS.register_module()
class VOCDataset(SegDataset):
    """PASCAL VOC 2012 with the additional masks of SBD: 20 classes.

    Reads ``JPEGImages``, ``SegmentationClassAug`` and
    ``ImageSets/Segmentation/{train_aug,val}.txt`` below ``data_root``
    (``…/VOCdevkit/VOC2012``).  If ``train_aug.txt`` is missing, the usual
    10,582 training images are derived from VOC's and SBD's own lists (see
    :func:`voc_aug_ids`).

    Args:
        sbd_root: Folder with SBD's ``train.txt`` and ``val.txt``; by default
            ``<data_root>/../../benchmark_RELEASE/dataset``.
        *args, **kwargs: Of :class:`SegDataset`.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=(
            'background',
            'aeroplane',
            'bicycle',
            'bird',
            'boat',
            'bottle',
            'bus',
            'car',
            'cat',
            'chair',
            'cow',
            'diningtable',
            'dog',
            'horse',
            'motorbike',
            'person',
            'pottedplant',
            'sheep',
            'sofa',
            'train',
            'tvmonitor',
        ),
        palette=colour_map(21),
    )
    DATA_PREFIX: ClassVar[dict[str, str]] = dict(
        img_path='JPEGImages', seg_map_path='SegmentationClassAug'
    )
    ANN_FILE: ClassVar[str] = 'ImageSets/Segmentation/{split}.txt'
    how_to_get: ClassVar[str] = (
        'get VOCtrainval_11-May-2012.tar from the PASCAL VOC 2012 site, make or get '
        'the SBD masks as SegmentationClassAug (incseg prepare-voc-aug), and name the folder '
        'VOCdevkit/VOC2012 with data_root'
    )

    def __init__(self, *args: Any, sbd_root: str | None = None, **kwargs: Any) -> None:
        self.sbd_root = sbd_root
        super().__init__(*args, **kwargs)

    def list_image_ids(self, split: str) -> list[str]:
        """Return the ids in the list of a split, ``ImageSets/Segmentation/<split>.txt``.

        Without a file ``train_aug.txt`` its ids are derived, see :func:`voc_aug_ids`.
        """
        if split == 'train_aug' and self.ann_file:
            places = self.list_places(split)
            return voc_aug_ids(
                self.ann_file, self.data_root, self.sbd_root, self.how_to_get, places
            )
        return super().list_image_ids(split)


STANDARD_SIZE = 10582


def voc_aug_ids(
    ann_file: str,
    data_root: str,
    sbd_root: str | None,
    how_to_get: str,
    places: Places | None = None,
) -> list[str]:
    """Return the ids of VOC's augmented training set, about 10,582.

    They are read from ``train_aug.txt`` if that list exists.  Otherwise they are the ids of
    VOC's ``train.txt`` and of SBD, without those of VOC's ``val.txt``.  SBD's ids are read from
    ``aug.txt``, which mmsegmentation's converter writes, or, if there is none, from SBD's own
    ``train.txt`` and ``val.txt``.

    Args:
        ann_file: Path of VOC's lists, with ``{split}`` where the name of a list stands; also
            that of ``train_aug`` and ``aug``.
        data_root: Folder of VOC 2012.
        sbd_root: Folder of SBD's lists; None for
            ``<data_root>/../../benchmark_RELEASE/dataset``.
        how_to_get: The sentence that ends an error: where the lists come from.
        places: Where the paths of lists lead; None: they hold ids only.

    Returns:
        The ids, in the order of ``train_aug.txt``, or sorted if they are
        derived.  A warning is logged if derived ids are not 10,582.

    Raises:
        MissingFileError: The lists are missing; the message names all of them.
    """
    complete = Path(at_split(ann_file, 'train_aug'))
    if complete.exists():
        return read_id_list(str(complete), how_to_get, places)
    aug = Path(at_split(ann_file, 'aug'))
    sbd = Path(sbd_root) if sbd_root else Path(data_root, '../../benchmark_RELEASE/dataset')
    sbd_lists = [sbd / 'train.txt', sbd / 'val.txt']
    parts = [aug] if aug.exists() else sbd_lists
    if not all(part.exists() for part in parts):
        raise MissingFileError(
            f"image list '{complete}' does not exist, nor can it be made from '{aug}' or from "
            f"'{sbd_lists[0]}' and '{sbd_lists[1].name}'; give it, or name SBD's folder with "
            f'sbd_root; {how_to_get}'
        )
    train, val = (read_id_list(at_split(ann_file, s), how_to_get, places) for s in ('train', 'val'))
    ids = set(train).union(*(read_id_list(str(part), how_to_get, places) for part in parts)) - set(
        val
    )
    if len(ids) != STANDARD_SIZE:
        print_log(
            f'train_aug made from {", ".join(map(str, parts))} has {len(ids)} images instead of '
            f'the usual {STANDARD_SIZE}: results will not compare with published ones',
            logger='current',
            level=logging.WARNING,
        )
    return sorted(ids)
