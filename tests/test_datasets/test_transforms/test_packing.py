import numpy as np
import torch

from incseg.datasets import PackSegInputs, Resize


def test_uint8_and_channel_order(make_sample):
    """uint8 to the device is 8 times less traffic than int64; BGR as loaded, (3, H, W)."""
    results = make_sample()
    results['img'] = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    packed = PackSegInputs()(results)
    inputs, label = packed['inputs'], packed['data_samples'].gt_sem_seg.data
    assert inputs.dtype == label.dtype == torch.uint8 and inputs.is_contiguous()
    assert inputs.shape == (3, 60, 80) and label.shape == (1, 60, 80)
    np.testing.assert_array_equal(inputs[2].numpy(), results['img'][..., 2])
    np.testing.assert_array_equal(label[0].numpy(), results['gt_seg_map'])


def test_meta(make_sample):
    """``ori_shape`` is the labels' own size: that is where predictions are compared."""
    sample = PackSegInputs()(Resize(scale_factor=0.5, resize_labels=False)(make_sample()))[
        'data_samples'
    ]
    assert sample.ori_shape == (60, 80) and sample.img_shape == (30, 40)
    assert sample.image_id == 'x' and sample.img_path == 'x.jpg'
    both = PackSegInputs()(Resize(scale_factor=0.5)(make_sample()))['data_samples']
    assert both.ori_shape == both.img_shape == (30, 40)


def test_without_labels(make_sample):
    """Inference: no labels, and the size of the image as it was loaded."""
    results = make_sample()
    del results['gt_seg_map']
    results['seg_fields'] = []
    sample = PackSegInputs()(Resize(size=(30, 30))(results))['data_samples']
    assert 'gt_sem_seg' not in sample and sample.ori_shape == (60, 80)


def test_any_layout(make_sample):
    """Mirrored and cropped views, and what a transform of somebody else left as floats."""
    results = make_sample()
    img = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    for view in (
        img[:, ::-1],
        img[5:50, 3:70],
        img[..., ::-1],
        img.astype(np.float32),
        img[..., :1],
    ):
        packed = PackSegInputs()(dict(results, img=view))['inputs'].numpy()
        assert packed.dtype == view.dtype and packed.flags.c_contiguous
        np.testing.assert_array_equal(packed, view.transpose(2, 0, 1))


def test_the_sample_has_its_own_pixels(make_sample):
    """A data set may keep its images in memory; the batch must not write into them."""
    results = make_sample()
    packed = PackSegInputs()(results)['inputs']
    packed += 1
    np.testing.assert_array_equal(results['img'] + 1, packed.permute(1, 2, 0).numpy())
