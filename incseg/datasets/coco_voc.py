from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from incseg.datasets.coco import COCODataset
from incseg.datasets.coco_classes import COCO_CATEGORIES, VOC_NAMES
from incseg.datasets.colour_map import colour_map
from incseg.datasets.joined_dataset import JoinedDataset
from incseg.datasets.rank_zero import on_rank_zero
from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.voc import VOCDataset
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import DATASETS


@DATASETS.register_module()
class COCOVOCDataset(JoinedDataset):
    """COCO and PASCAL VOC with one numbering, for the step from one to the other.

    Dataset ids 1..60 are the COCO classes that VOC has not, in COCO's order;
    61..80 are VOC's 20, in VOC's order and by VOC's names.  With the protocol
    60-20 that is WILSON's COCO-to-VOC (Cermelli et al., CVPR 2022, section 4).
    The splits, of which several may be joined:

    * ``coco_train``: COCO images without a pixel of VOC's classes;
    * ``voc_train_aug``, and any other list of VOC's as ``voc_<list>``;
    * ``coco_val``: COCO's validation images, all of them, with all 80 classes.

    VOC does not annotate the 60: there they are background.

    Args:
        data_root: COCO's folder, see :class:`COCODataset`.
        split: one or several of those above.
        pipeline: transforms, or their config dicts.
        voc_root: VOC's folder, see :class:`VOCDataset`.
        **kwargs: ``partly_labelled`` (VOC's images may lack their masks) and those of
            :class:`mmengine.dataset.BaseDataset`.

    Raises:
        MissingFileError: a folder or file of COCO's or VOC's is not there.
        InvalidInputError: there is no such split.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=('background',
                 *(name for name in COCO_CATEGORIES.values() if name not in VOC_NAMES),
                 *VOC_NAMES.values()),
        palette=colour_map(81))
    RENAMED: ClassVar[Mapping[str, str]] = VOC_NAMES
    how_to_get: ClassVar[str] = COCODataset.how_to_get

    def __init__(self, data_root: str = '',
                 split: str | Sequence[str] = ('coco_train', 'voc_train_aug'),
                 pipeline: Sequence[dict | Callable] = (), *,
                 voc_root: str = '', **kwargs: Any) -> None:
        self.voc_root = voc_root
        super().__init__(data_root, split, pipeline, **kwargs)

    def make_part(self, split: str) -> tuple[SegDataset, np.ndarray]:
        """COCO's or VOC's split of that name; ``coco_train`` without VOC's classes."""
        name, _, part_split = split.partition('_')
        if name == 'voc' and part_split:
            if not Path(self.voc_root).is_dir():
                raise MissingFileError(
                    f'voc_root {self.voc_root!r} does not exist; '
                    + VOCDataset.how_to_get.replace('data_root', 'voc_root'))
            voc = VOCDataset(self.voc_root, part_split, partly_labelled=self.partly_labelled)
            return voc, np.arange(len(voc))
        if split not in ('coco_train', 'coco_val'):
            raise InvalidInputError(
                f'split is {split!r}; allowed are coco_train, coco_val, voc_train_aug, voc_val '
                "and voc_ before any other list in VOC's ImageSets/Segmentation")
        coco = COCODataset(self.data_root, part_split)
        if split == 'coco_val':
            return coco, np.arange(len(coco))
        shown = on_rank_zero(coco.presence)
        of_voc = [i for i, name in enumerate(coco.metainfo['classes']) if name in VOC_NAMES]
        return coco, np.flatnonzero(~shown[:, of_voc].any(1))
