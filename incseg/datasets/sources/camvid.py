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
    file ids are 0..10 for the classes and 11 (or 255) for void; there is no
    background.  So dataset id = file id + 1, and no pixel has dataset id 0.
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
        """Return the reader that turns file ids 0..10 into dataset ids 1..11."""
        return LabelReader(
            self.num_classes,
            {i: i + 1 for i in range(self.num_classes)},
            void_ids=(self.num_classes, VOID),
        )
