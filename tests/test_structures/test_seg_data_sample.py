"""The sample that travels with an image through loader, model and metric."""

import pytest
import torch
from mmengine.structures import PixelData

from incseg.structures import SegDataSample


def test_labels_and_meta_information():
    """If it fails, labels lose their type on the way, or the metric finds no ori_shape."""
    sample = SegDataSample(metainfo=dict(ori_shape=(2, 3)))
    assert 'gt_sem_seg' not in sample
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 2, 3, dtype=torch.uint8))
    sample.pred_sem_seg = PixelData(data=torch.ones(1, 2, 3, dtype=torch.uint8))
    assert 'gt_sem_seg' in sample
    assert sorted(sample.keys()) == ['gt_sem_seg', 'pred_sem_seg']
    moved = sample.to('cpu')
    assert moved.gt_sem_seg.data.dtype == torch.uint8
    assert moved.ori_shape == (2, 3)
    assert moved.pred_sem_seg.data.sum() == 6
    del sample.gt_sem_seg, sample.pred_sem_seg
    assert not sample.keys()


@pytest.mark.parametrize('name', ['gt_sem_seg', 'pred_sem_seg'])
def test_only_pixel_data(name):
    """If it fails, a bare tensor is accepted and every `.data` after it is another thing."""
    with pytest.raises(AssertionError):
        setattr(SegDataSample(), name, torch.zeros(1, 2, 2))


def test_image_labels_move_with_the_sample():
    """If it fails, a step on image-level labels finds them on another device, or lost."""
    sample = SegDataSample()
    sample.gt_image_labels = torch.tensor([1.0, 0.0])
    assert sample.to('cpu').gt_image_labels.tolist() == [1, 0]
    assert sample.new().gt_image_labels.tolist() == [1, 0]
