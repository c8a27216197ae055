from typing import Any, ClassVar

from incseg.datasets.colour_map import colour_map
from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.voc_aug_list import voc_aug_ids
from incseg.registry import DATASETS


@DATASETS.register_module()
class VOCDataset(SegDataset):
    """PASCAL VOC 2012 with the additional masks of SBD: 20 classes.

    Reads ``JPEGImages``, ``SegmentationClassAug`` and
    ``ImageSets/Segmentation/{train_aug,val}.txt`` below ``data_root``
    (``…/VOCdevkit/VOC2012``).  Where ``train_aug.txt`` is missing, the usual
    10,582 training images are worked out from VOC's and SBD's own lists (see
    :func:`voc_aug_ids`).

    Args:
        sbd_root: folder with SBD's ``train.txt`` and ``val.txt``.  Defaults to
            ``<data_root>/../../benchmark_RELEASE/dataset``.
        *args, **kwargs: of :class:`SegDataset`.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=('background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car',
                 'cat', 'chair', 'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person',
                 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor'),
        palette=colour_map(21))
    DATA_PREFIX: ClassVar[dict[str, str]] = dict(
        img_path='JPEGImages', seg_map_path='SegmentationClassAug')
    ANN_FILE: ClassVar[str] = 'ImageSets/Segmentation/{split}.txt'
    how_to_get: ClassVar[str] = (
        'get VOCtrainval_11-May-2012.tar from the PASCAL VOC 2012 site, make or get '
        'the SBD masks as SegmentationClassAug (tools/prepare_voc_aug.py), and name the folder '
        'VOCdevkit/VOC2012 with data_root')

    def __init__(self, *args: Any, sbd_root: str | None = None, **kwargs: Any) -> None:
        self.sbd_root = sbd_root
        super().__init__(*args, **kwargs)

    def list_image_ids(self, split: str) -> list[str]:
        """Ids of a list in ``ImageSets/Segmentation``; ``train_aug`` may be worked out."""
        if split == 'train_aug' and self.ann_file:
            return voc_aug_ids(self.ann_file, self.data_root, self.sbd_root, self.how_to_get)
        return super().list_image_ids(split)
