from typing import ClassVar

from incseg.constants import VOID
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.seg_dataset import SegDataset
from incseg.registry import DATASETS


@DATASETS.register_module()
class CamVidDataset(SegDataset):
    """CamVid as published with SegNet: 701 street photographs, 11 classes.

    Reads ``images/{train,val,test}`` and ``labels/{train,val,test}`` below
    ``data_root``; ``split`` may join several, e.g. ``['train', 'val']``.  The
    files number the classes 0..10, have 11 (or 255) for void and no
    background, so dataset id = file id + 1 and dataset id 0 stays empty.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=(
            'background',
            'Sky',
            'Building',
            'Pole',
            'Road',
            'Sidewalk',
            'Tree',
            'SignSymbol',
            'Fence',
            'Car',
            'Pedestrian',
            'Bicyclist',
        ),
        palette=[
            [0, 0, 0],
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [0, 0, 192],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
    )
    how_to_get: ClassVar[str] = (
        'get CamVid with the 11-class labels of the SegNet tutorial, put it there as '
        'images/{train,val,test} and labels/{train,val,test}, or name its folder with data_root'
    )

    def make_label_reader(self) -> LabelReader:
        """File ids 0..10 are dataset ids 1..11."""
        return LabelReader(
            self.num_classes,
            {i: i + 1 for i in range(self.num_classes)},
            void_ids=(self.num_classes, VOID),
        )
