from types import SimpleNamespace

import cv2
import numpy as np
import torch
from mmengine.structures import PixelData

from incseg.engine.hooks import PaintHook
from incseg.structures import SegDataSample


def test_three_panels(tmp_path):
    """Image, truth, prediction, side by side at the label's own size, in the palette's colours."""
    sample = SegDataSample(metainfo=dict(image_id='a/b'))
    sample.gt_sem_seg = PixelData(data=torch.tensor([[[1, 255], [0, 0]]], dtype=torch.uint8))
    sample.pred_sem_seg = PixelData(data=torch.tensor([[[0, 1], [0, 0]]], dtype=torch.uint8))
    hook = PaintHook(tmp_path / 'shown', [[0, 0, 0], [200, 100, 0]])
    batch = dict(inputs=[torch.zeros(3, 4, 4, dtype=torch.uint8)])
    hook.after_test_iter(SimpleNamespace(), 0, batch, [sample])
    picture = cv2.imread(str(tmp_path / 'shown' / 'a_b.png'))
    colour = [0, 50, 100]  # half of [200, 100, 0], BGR
    expected = np.zeros((2, 6, 3), np.uint8)
    expected[0, 2] = expected[0, 5] = colour
    assert np.array_equal(picture, expected)
