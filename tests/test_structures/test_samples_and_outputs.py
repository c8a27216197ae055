"""Samples that travel with an image, and the outputs of a forward pass."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData

from incseg.structures import NetworkOutputs, SegDataSample
from incseg.structures.network_outputs import upsample


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


def test_full_size_is_bilinear_and_computed_once():
    """If it fails, losses read shifted logits, or each loss pays for its own up-sampling."""
    logits = torch.randn(2, 3, 4, 5)
    outputs = NetworkOutputs((), {'head': logits, 'other': logits + 1}, (32, 37))
    full = outputs.full_size('head')
    expected = F.interpolate(logits, (32, 37), mode='bilinear', align_corners=False)
    torch.testing.assert_close(full, expected)
    assert outputs.full_size('head') is full
    torch.testing.assert_close(outputs.full_size('other'), expected + 1)


def test_two_outputs_do_not_share():
    """If it fails, the student's losses read the teacher's logits."""
    first, second = (
        NetworkOutputs((), {'head': torch.full((1, 1, 2, 2), v)}, (4, 4)) for v in (1.0, 2.0)
    )
    assert first.full_size('head').unique().tolist() == [1]
    assert second.full_size('head').unique().tolist() == [2]


def test_worked_example():
    """If it fails, the pixel grid is align_corners=True, half a cell off the labels."""
    row = upsample(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2), (1, 4)).flatten()
    torch.testing.assert_close(row, torch.tensor([0, 0.25, 0.75, 1]))


def test_precision():
    """If it fails, half-precision logits are interpolated in half, or float64 is cut."""
    for given, result in (
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float64, torch.float64),
    ):
        logits = torch.randn(1, 2, 3, 3).to(given)
        for size in ((3, 3), (6, 6)):
            assert upsample(logits, size).dtype == result
    same = torch.randn(1, 2, 3, 3)
    assert upsample(same, (3, 3)) is same


def test_gradient_reaches_the_low_resolution():
    """If it fails, the cached tensor is cut from the graph and nothing trains."""
    logits = torch.zeros(1, 1, 2, 2, requires_grad=True)
    outputs = NetworkOutputs((), {'head': logits}, (8, 8))
    (outputs.full_size('head').sum() + outputs.full_size('head').sum()).backward()
    torch.testing.assert_close(logits.grad, torch.full((1, 1, 2, 2), 32.0))
