"""Cityscapes: street scenes from a car, 19 classes."""

from collections.abc import Sequence
from typing import Any, ClassVar

from incseg.constants import VOID
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.seg_dataset import SegDataset
from incseg.registry import DATASETS

#: of each class that is evaluated, in the order of its train id: the id in the files, the colour
CLASSES = {
    'road': (7, [128, 64, 128]),
    'sidewalk': (8, [244, 35, 232]),
    'building': (11, [70, 70, 70]),
    'wall': (12, [102, 102, 156]),
    'fence': (13, [190, 153, 153]),
    'pole': (17, [153, 153, 153]),
    'traffic light': (19, [250, 170, 30]),
    'traffic sign': (20, [220, 220, 0]),
    'vegetation': (21, [107, 142, 35]),
    'terrain': (22, [152, 251, 152]),
    'sky': (23, [70, 130, 180]),
    'person': (24, [220, 20, 60]),
    'rider': (25, [255, 0, 0]),
    'car': (26, [0, 0, 142]),
    'truck': (27, [0, 0, 70]),
    'bus': (28, [0, 60, 100]),
    'train': (31, [0, 80, 100]),
    'motorcycle': (32, [0, 0, 230]),
    'bicycle': (33, [119, 11, 32]),
}
#: the last of the ids in the files
LAST_ID = 33
#: in the names of label maps with the train ids, 0 to 18
TRAIN_IDS = 'trainids'


@DATASETS.register_module()
class CityscapesDataset(SegDataset):
    """Cityscapes with fine annotations: 2,975 training and 500 validation images.

    Reads ``leftImg8bit/{train,val}/<city>/*_leftImg8bit.png`` and
    ``gtFine/{train,val}/<city>/*_gtFine_labelIds.png`` below ``data_root``, as they are
    published.  Their ids 0 to 33 become the dataset ids 1 to 19 of the classes that the benchmark
    evaluates, in the order of its train ids; all others are void.  No pixel is background.  Label
    maps whose ``seg_map_suffix`` ends in ``labelTrainIds.png`` have the ids 0 to 18.

    Args:
        img_suffix, seg_map_suffix: Endings of images and label maps, see :class:`SegDataset`.
        *args, **kwargs: Of :class:`SegDataset`.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=('background', *CLASSES),
        palette=[[0, 0, 0], *(colour for _, colour in CLASSES.values())],
    )
    DATA_PREFIX: ClassVar[dict[str, str]] = dict(
        img_path='leftImg8bit/{split}', seg_map_path='gtFine/{split}'
    )
    how_to_get: ClassVar[str] = (
        'get leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip from the Cityscapes site, '
        'unpack both there, or name their folder with data_root'
    )

    def __init__(
        self,
        *args: Any,
        img_suffix: str | Sequence[str] = '_leftImg8bit.png',
        seg_map_suffix: str = '_gtFine_labelIds.png',
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)

    def make_label_reader(self) -> LabelReader:
        """Return the reader of the ``labelIds``, or of the ``labelTrainIds`` by their suffix."""
        if TRAIN_IDS in self.seg_map_suffix.lower():
            return LabelReader(self.num_classes, {i: i + 1 for i in range(self.num_classes)})
        evaluated = {id_: i for i, (id_, _) in enumerate(CLASSES.values(), 1)}
        void = [i for i in range(LAST_ID + 1) if i not in evaluated]
        return LabelReader(self.num_classes, evaluated, void_ids=(*void, VOID))
