import cv2
import numpy as np
import pytest
import torch
from torchvision.transforms import functional as reference

from incseg.datasets import ColourJitter, ShapesDataset
from incseg.datasets.transforms import colour as colour_jitter


@pytest.mark.parametrize(
    ('name', 'values', 'tolerance'),
    [
        ('brightness', (0.0, 0.4, 1.0, 1.7), 1),
        ('contrast', (0.0, 0.5, 1.0, 1.6), 2),
        ('saturation', (0.0, 0.3, 1.0, 1.8), 2),
        ('hue', (-0.5, -0.13, 0.0, 0.07, 0.5), 9),
    ],
)
def test_same_pixels_as_torchvision(name, values, tolerance):
    """Recipes are written for torchvision's meaning of these numbers; differences are rounding
    (hue goes through 8 bits here and in PIL, through floats in torchvision's tensor code)."""
    img = ShapesDataset(length=1).get_data_info(0)['img']
    rgb = torch.from_numpy(np.ascontiguousarray(img[..., ::-1].transpose(2, 0, 1)))
    for value in values:
        ours = getattr(colour_jitter, f'adjust_{name}')(img, value)
        theirs = getattr(reference, f'adjust_{name}')(rgb, value).numpy().transpose(1, 2, 0)
        assert ours.dtype == np.uint8
        difference = np.abs(ours[..., ::-1].astype(int) - theirs)
        assert difference.max() <= tolerance and difference.mean() <= 1


def test_only_the_picture_changes(make_sample):
    """Labels are no colours."""
    np.random.seed(0)
    before, after = make_sample(), ColourJitter(0.5, 0.5, 0.5, 0.2)(make_sample())
    assert (before['img'] != after['img']).any()
    np.testing.assert_array_equal(before['gt_seg_map'], after['gt_seg_map'])


def test_factors_stay_in_their_range(monkeypatch):
    """brightness=.3 means factors in [.7, 1.3]; above 1, never below 0."""
    drawn = []
    monkeypatch.setattr(
        colour_jitter, 'adjust_brightness', lambda img, factor: drawn.append(factor) or img
    )
    np.random.seed(0)
    for _ in range(200):
        ColourJitter(brightness=0.3)(dict(img=np.zeros((2, 2, 3), np.uint8)))
    assert 0.7 <= min(drawn) < 0.75 and 1.25 < max(drawn) <= 1.3
    assert ColourJitter(contrast=1.5).contrast == (0.0, 2.5)
    assert ColourJitter(saturation=(0.2, 0.4)).saturation == (0.2, 0.4)


def test_default_is_no_change(make_sample):
    """A jitter of nothing is free, bit for bit."""
    np.testing.assert_array_equal(ColourJitter()(make_sample())['img'], make_sample()['img'])


@pytest.mark.parametrize('factor', [0.0, 0.3, 0.77, 1.3])
def test_contrast_turns_about_the_mean_to_the_last_bit(factor):
    """The mean of OpenCV's grey; its last digit decides about whole levels of seeded samples."""
    img = np.random.default_rng(1).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    mean = cv2.cvtColor(img, cv2.COLOR_BGR2GRAY).mean()
    levels = np.clip(np.arange(256, dtype=np.float32) * factor + mean * (1 - factor), 0, 255)
    np.testing.assert_array_equal(
        colour_jitter.adjust_contrast(img, factor), levels.astype(np.uint8)[img]
    )
