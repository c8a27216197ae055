from typing import ClassVar

from incseg.datasets.label_reader import VOID, LabelReader
from incseg.datasets.seg_dataset import SegDataset
from incseg.registry import DATASETS


@DATASETS.register_module()
class TilesDataset(SegDataset):
    """Coloured tiles; the files number the classes 10, 20, … and have 99 for void."""

    METAINFO: ClassVar[dict] = dict(
        classes=('background', 'red', 'green', 'blue', 'yellow', 'white'),
        palette=[[0, 0, 0], [200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0], [200, 200, 200]],
    )
    DATA_PREFIX: ClassVar[dict[str, str]] = dict(
        img_path='pictures/{split}', seg_map_path='tiles/{split}'
    )
    ANN_FILE: ClassVar[str] = 'lists/{split}.txt'
    how_to_get: ClassVar[str] = 'lay some tiles'

    def make_label_reader(self):
        return LabelReader(
            self.num_classes, {10 * i: i for i in range(self.num_classes + 1)}, (99, VOID)
        )
