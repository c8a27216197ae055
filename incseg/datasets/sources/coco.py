"""COCO, and COCO joined with PASCAL VOC under one numbering of classes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from incseg.datasets.joined_dataset import JoinedDataset
from incseg.datasets.label_maps.label_file import colour_map
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.sources.voc import VOCDataset
from incseg.errors import MissingFileError
from incseg.registry import DATASETS
from incseg.utils.distributed import on_rank_zero
from incseg.utils.rules import expected

#: COCO's category id (1..90 with gaps, as in its JSON files) -> name, in COCO's order
COCO_CATEGORIES: dict[int, str] = {
    1: 'person',
    2: 'bicycle',
    3: 'car',
    4: 'motorcycle',
    5: 'airplane',
    6: 'bus',
    7: 'train',
    8: 'truck',
    9: 'boat',
    10: 'traffic light',
    11: 'fire hydrant',
    13: 'stop sign',
    14: 'parking meter',
    15: 'bench',
    16: 'bird',
    17: 'cat',
    18: 'dog',
    19: 'horse',
    20: 'sheep',
    21: 'cow',
    22: 'elephant',
    23: 'bear',
    24: 'zebra',
    25: 'giraffe',
    27: 'backpack',
    28: 'umbrella',
    31: 'handbag',
    32: 'tie',
    33: 'suitcase',
    34: 'frisbee',
    35: 'skis',
    36: 'snowboard',
    37: 'sports ball',
    38: 'kite',
    39: 'baseball bat',
    40: 'baseball glove',
    41: 'skateboard',
    42: 'surfboard',
    43: 'tennis racket',
    44: 'bottle',
    46: 'wine glass',
    47: 'cup',
    48: 'fork',
    49: 'knife',
    50: 'spoon',
    51: 'bowl',
    52: 'banana',
    53: 'apple',
    54: 'sandwich',
    55: 'orange',
    56: 'broccoli',
    57: 'carrot',
    58: 'hot dog',
    59: 'pizza',
    60: 'donut',
    61: 'cake',
    62: 'chair',
    63: 'couch',
    64: 'potted plant',
    65: 'bed',
    67: 'dining table',
    70: 'toilet',
    72: 'tv',
    73: 'laptop',
    74: 'mouse',
    75: 'remote',
    76: 'keyboard',
    77: 'cell phone',
    78: 'microwave',
    79: 'oven',
    80: 'toaster',
    81: 'sink',
    82: 'refrigerator',
    84: 'book',
    85: 'clock',
    86: 'vase',
    87: 'scissors',
    88: 'teddy bear',
    89: 'hair drier',
    90: 'toothbrush',
}

#: for VOC's 20 classes in VOC's order: COCO's name -> VOC's name
VOC_NAMES: dict[str, str] = {
    'airplane': 'aeroplane',
    'bicycle': 'bicycle',
    'bird': 'bird',
    'boat': 'boat',
    'bottle': 'bottle',
    'bus': 'bus',
    'car': 'car',
    'cat': 'cat',
    'chair': 'chair',
    'cow': 'cow',
    'dining table': 'diningtable',
    'dog': 'dog',
    'horse': 'horse',
    'motorcycle': 'motorbike',
    'person': 'person',
    'potted plant': 'pottedplant',
    'sheep': 'sheep',
    'couch': 'sofa',
    'train': 'train',
    'tv': 'tvmonitor',
}


@DATASETS.register_module()
class COCODataset(SegDataset):
    """COCO 2017, its 80 object classes in COCO's own order.

    Reads the images ``{train,val}2017`` below ``data_root`` and the label maps
    ``masks/{train,val}2017``.  ``incseg paint-coco-masks`` makes the label
    maps from ``annotations/instances_{train,val}2017.json`` (see
    :func:`paint_coco_masks`), each in the folder of its image.  The file ids are
    COCO's category ids, 1..90 with gaps; dataset ids are 1..80 in the same order.
    An image without objects is all background.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=('background', *COCO_CATEGORIES.values()), palette=colour_map(81)
    )
    DATA_PREFIX: ClassVar[dict[str, str]] = dict(
        img_path='{split}2017', seg_map_path='masks/{split}2017'
    )
    how_to_get: ClassVar[str] = (
        'get train2017.zip, val2017.zip and annotations_trainval2017.zip from the COCO site, '
        'unpack them there, make masks/ with incseg paint-coco-masks, or name another folder '
        'with data_root'
    )

    def make_label_reader(self) -> LabelReader:
        """Return the reader that turns COCO's category ids into dataset ids 1..80."""
        ids = {category: i for i, category in enumerate(COCO_CATEGORIES, 1)}
        return LabelReader(self.num_classes, {0: 0, **ids})


@DATASETS.register_module()
class COCOVOCDataset(JoinedDataset):
    """COCO and PASCAL VOC with one numbering, for protocols that learn VOC after COCO.

    Dataset ids 1..60 are the COCO classes that VOC does not have, in COCO's
    order; 61..80 are VOC's 20 classes, with VOC's order and names.  With the
    protocol 60-20 that is WILSON's COCO-to-VOC.  The splits, of which several may be joined:

    * ``coco_train``: COCO's training images without a pixel of VOC's classes;
    * ``voc_train_aug``, and any other image list of VOC as ``voc_<list>``;
    * ``coco_val``: all of COCO's validation images, with all 80 classes.

    VOC does not annotate the first 60 classes: in its images they are
    background.

    Args:
        data_root: COCO's folder, see :class:`COCODataset`.
        split: One or several of the splits above.
        pipeline: Transforms, or their config dicts.
        voc_root: VOC's folder, see :class:`VOCDataset`.
        **kwargs: ``partly_labelled`` (VOC's images may lack their masks),
            ``follow_links``, ``exif``, ``value_range`` and arguments of
            :class:`mmengine.dataset.BaseDataset`.

    Raises:
        MissingFileError: A folder or file of COCO or VOC is missing.
        InvalidInputError: There is no such split.

    Source: WILSON (Cermelli et al., CVPR 2022), section 4.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=(
            'background',
            *(name for name in COCO_CATEGORIES.values() if name not in VOC_NAMES),
            *VOC_NAMES.values(),
        ),
        palette=colour_map(81),
    )
    RENAMED: ClassVar[Mapping[str, str]] = VOC_NAMES
    how_to_get: ClassVar[str] = COCODataset.how_to_get

    def __init__(
        self,
        data_root: str = '',
        split: str | Sequence[str] = ('coco_train', 'voc_train_aug'),
        pipeline: Sequence[dict | Callable] = (),
        *,
        voc_root: str = '',
        **kwargs: Any,
    ) -> None:
        self.voc_root = voc_root
        super().__init__(data_root, split, pipeline, **kwargs)

    def make_part(self, split: str) -> tuple[SegDataset, np.ndarray]:
        """Return COCO's or VOC's split of that name, and the images to take from it.

        All images are taken, but with ``coco_train`` only those without VOC's classes.

        Args:
            split: ``'coco_train'``, ``'coco_val'`` or ``'voc_<list>'``.

        Returns:
            The data set, and the indices of the images: int64 ``(n,)``.

        Raises:
            MissingFileError: VOC's folder is missing.
            InvalidInputError: There is no such split.
        """
        name, _, part_split = split.partition('_')
        if name == 'voc' and part_split:
            if not Path(self.voc_root).is_dir():
                raise MissingFileError(
                    f'voc_root {self.voc_root!r} does not exist; '
                    + VOCDataset.how_to_get.replace('data_root', 'voc_root')
                )
            voc = VOCDataset(
                self.voc_root,
                part_split,
                partly_labelled=self.partly_labelled,
                follow_links=self.follow_links,
            )
            return voc, np.arange(len(voc))
        if split not in ('coco_train', 'coco_val'):
            raise expected(
                'split',
                split,
                'coco_train, coco_val, voc_train_aug, voc_val, or voc_ before any other list in '
                "VOC's ImageSets/Segmentation",
            )
        coco = COCODataset(self.data_root, part_split, follow_links=self.follow_links)
        if split == 'coco_val':
            return coco, np.arange(len(coco))
        presence = on_rank_zero(coco.presence)
        of_voc = [i for i, name in enumerate(coco.metainfo['classes']) if name in VOC_NAMES]
        return coco, np.flatnonzero(~presence[:, of_voc].any(1))
