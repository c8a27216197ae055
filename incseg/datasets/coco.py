from typing import ClassVar

from incseg.datasets.coco_classes import COCO_CATEGORIES
from incseg.datasets.colour_map import colour_map
from incseg.datasets.label_reader import LabelReader
from incseg.datasets.seg_dataset import SegDataset
from incseg.registry import DATASETS


@DATASETS.register_module()
class COCODataset(SegDataset):
    """COCO 2017, its 80 object classes in COCO's own order.

    Reads the images ``{train,val}2017`` below ``data_root`` and the label maps
    ``masks/{train,val}2017``, which ``tools/paint_coco_masks.py`` paints of
    ``annotations/instances_{train,val}2017.json`` (see
    :func:`paint_coco_masks`).  The files have COCO's category ids, 1..90 with
    gaps; dataset ids count on without.  An image without an object is all
    background.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=('background', *COCO_CATEGORIES.values()), palette=colour_map(81))
    DATA_PREFIX: ClassVar[dict[str, str]] = dict(
        img_path='{split}2017', seg_map_path='masks/{split}2017')
    how_to_get: ClassVar[str] = (
        'get train2017.zip, val2017.zip and annotations_trainval2017.zip from the COCO site, '
        'unpack them there, make masks/ with tools/paint_coco_masks.py, or name another folder '
        'with data_root')

    def make_label_reader(self) -> LabelReader:
        """Category ids become 1..80."""
        ids = {category: i for i, category in enumerate(COCO_CATEGORIES, 1)}
        return LabelReader(self.num_classes, {0: 0, **ids})
