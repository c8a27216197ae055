"""The preprocessor: wrong numbers here feed ImageNet weights another kind of image."""

import pytest
import torch
from mmengine.structures import PixelData

from incseg.errors import InvalidInputError
from incseg.models import SegDataPreProcessor
from incseg.registry import MODELS
from incseg.structures import SegDataSample

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # ImageNet, RGB


def sample(height: int, width: int) -> SegDataSample:
    result = SegDataSample(metainfo=dict(img_shape=(height, width), ori_shape=(9, 9)))
    result.gt_sem_seg = PixelData(data=torch.full((1, height, width), 3, dtype=torch.uint8))
    return result


def image(height: int, width: int, bgr: tuple = (10, 20, 30)) -> torch.Tensor:
    return torch.tensor(bgr, dtype=torch.uint8).view(3, 1, 1).expand(3, height, width)


def test_numbers():
    """If it fails, channels are swapped, or mean and std belong to the other channel."""
    batch = MODELS.build(dict(type='SegDataPreProcessor'))(dict(inputs=[image(2, 3)]))['inputs']
    assert batch.dtype == torch.float32
    assert batch.shape == (1, 3, 2, 3)
    expected = torch.tensor([(v - m) / s for v, m, s in zip((30, 20, 10), MEAN, STD)])
    torch.testing.assert_close(batch, expected.view(1, 3, 1, 1).expand(1, 3, 2, 3))


def test_without_the_channel_flip():
    """If it fails, a loader of RGB images cannot be used."""
    process = SegDataPreProcessor(mean=(1, 2, 3), std=(2, 4, 8), bgr_to_rgb=False)
    batch = process(dict(inputs=[image(1, 1)]))['inputs']
    assert batch.flatten().tolist() == [(10 - 1) / 2, (20 - 2) / 4, (30 - 3) / 8]


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (
            dict(mean=[0.485, 0.456, 0.406]),
            'mean of SegDataPreProcessor is .*, expected numbers',
        ),
        (dict(std=[0.229, 0.224, 0.225]), r'std of .* pixels from 0 to 255, as 58\.395 57\.12'),
        (dict(mean=[0.5] * 3, std=[0.5] * 3), 'mean of SegDataPreProcessor'),
    ],
)
def test_numbers_of_pixels_from_0_to_1(wrong, message):
    """If it fails, a network learns from pictures that are 255 times too bright, in silence."""
    with pytest.raises(InvalidInputError, match=message):
        SegDataPreProcessor(**wrong)
    SegDataPreProcessor(mean=(0, 0, 0), std=(255, 255, 255))  # of pixels from 0 to 1 in the network


def test_a_batch_of_one_size_is_not_touched_otherwise():
    """If it fails, labels or sizes change on the way to the device."""
    given = [sample(2, 3), sample(2, 3)]
    out = SegDataPreProcessor()(
        dict(inputs=[image(2, 3), image(2, 3, (0, 0, 0))], data_samples=given), training=True
    )
    assert out['inputs'].shape == (2, 3, 2, 3)
    for result in out['data_samples']:
        assert result.gt_sem_seg.data.dtype == torch.uint8
        assert torch.equal(result.gt_sem_seg.data, torch.full((1, 2, 3), 3, dtype=torch.uint8))
        assert (result.img_shape, result.ori_shape) == ((2, 3), (9, 9))


def test_stacked_images():
    """If it fails, a loader that already stacks its images is refused."""
    stacked = torch.stack([image(2, 3), image(2, 3, (0, 0, 0))])
    process = SegDataPreProcessor()
    assert torch.equal(
        process(dict(inputs=stacked))['inputs'], process(dict(inputs=list(stacked)))['inputs']
    )


@pytest.mark.parametrize('training', [True, False])
def test_unequal_sizes_are_padded(training):
    """If it fails, padding is a colour of its own, or its labels train the network."""
    process = SegDataPreProcessor()
    given = [sample(2, 5), sample(4, 3)]
    out = process(dict(inputs=[image(2, 5), image(4, 3)], data_samples=given), training=training)
    batch, samples = out['inputs'], out['data_samples']
    assert batch.shape == (2, 3, 4, 5)
    for index, (height, width) in enumerate([(2, 5), (4, 3)]):
        alone = process(dict(inputs=[image(height, width)]))['inputs'][0]
        assert torch.equal(batch[index, :, :height, :width], alone)
        padding = torch.ones(4, 5, dtype=torch.bool)
        padding[:height, :width] = False
        assert (batch[index, :, padding] == 0).all()  # the mean colour
        assert samples[index].img_shape == (height, width)
        labels = samples[index].gt_sem_seg.data
        assert labels.dtype == torch.uint8
        if training:
            assert labels.shape == (1, 4, 5)
            assert (labels[0, padding] == 255).all()
            assert (labels[0, ~padding] == 3).all()
        else:  # evaluated at their own size
            assert labels.shape == (1, height, width)
    assert given[0].gt_sem_seg.data.shape == (1, 2, 5)


@pytest.mark.parametrize('samples', [None, 'bare'])
def test_sizes_are_noted_when_padding(samples):
    """If it fails, padding cannot be told from image after samples without img_shape."""
    given = None if samples is None else [SegDataSample(), SegDataSample()]
    out = SegDataPreProcessor()(dict(inputs=[image(2, 5), image(4, 3)], data_samples=given))
    assert [s.img_shape for s in out['data_samples']] == [(2, 5), (4, 3)]


def test_nothing_in_the_checkpoint():
    """If it fails, mean and std are saved as weights and override the config's on loading."""
    assert not SegDataPreProcessor().state_dict()
