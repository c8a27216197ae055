"""Samples whose picture shows the label ids, so that moving apart is seen."""

import cv2
import numpy as np
import pytest

GREY_PER_ID = 40


def _make(height=60, width=80, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 6, (4, 5), dtype=np.uint8)
    label = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    img = np.repeat(label[..., None] * GREY_PER_ID, 3, axis=2)
    return dict(
        img=img,
        gt_seg_map=label,
        seg_fields=['gt_seg_map'],
        img_shape=(height, width),
        ori_shape=(height, width),
        img_path='x.jpg',
        image_id='x',
    )


@pytest.fixture
def make_sample():
    """``make_sample(height, width, seed)``: blocks of ids 0..5, grey value 40 * id."""
    return _make


@pytest.fixture
def assert_aligned():
    """Inside regions of one label, the picture still shows 40 * label; returns their share."""

    def check(results):
        img, label = results['img'], results['gt_seg_map']
        assert img.shape[:2] == label.shape == tuple(results['img_shape'])
        assert img.dtype == label.dtype == np.uint8
        # what lies outside the frame is void too, and bleeds in when rotating
        around = cv2.copyMakeBorder(label, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=255)
        kernel = np.ones((5, 5), np.uint8)
        inner = (cv2.erode(around, kernel) == cv2.dilate(around, kernel))[2:-2, 2:-2]
        inner &= label != 255
        shown = img[inner].astype(int)
        assert np.abs(shown - GREY_PER_ID * label[inner][:, None].astype(int)).max(initial=0) <= 1
        return inner.mean()

    return check
