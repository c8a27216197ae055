"""Windows, flips and scales: what is exact, and what global pooling needs."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from incseg.errors import InvalidInputError
from incseg.models import BaseBackbone
from incseg.models.prediction import PredictionSettings
from incseg.models.prediction.windows import spans
from incseg.registry import MODELS
from incseg.structures import SegDataSample
from tests.common.toys import ToyBackbone, network_config  # noqa: F401


@MODELS.register_module(force=True)
class PoolingBackbone(BaseBackbone):
    """A map at stride 4 that two global poolings weight, the second behind the first."""

    out_channels = stage_channels = (6,)

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 6, 3, 2, 1)

    def forward_stages(self, x):
        x = self.first(x)
        x = self.second(x * F.adaptive_avg_pool2d(x, 1).sigmoid())
        x = x * (3 * x.mean((2, 3), keepdim=True)).sigmoid()
        return (x,), (x,)


def network(backbone='ToyBackbone', loss='CrossEntropyLoss', seed=0, **head):
    torch.manual_seed(seed)
    config = network_config(
        backbone=dict(type=backbone),
        auxiliary_head=None,
        decode_head=dict(type='FCNHead', loss_decode=dict(type=loss), **head),
    )
    model = MODELS.build(config)
    for conv in model.decode_head.classifier.convs:
        nn.init.normal_(conv.weight)
    return model.eval()


def image(height, width, seed=0):
    """Blobs of colour, so that a class is larger than a pixel."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, height // 8 + 2, width // 8 + 2, generator=generator)
    return (255 * F.interpolate(small, (height, width), mode='bicubic')[0].clamp(0, 1)).byte()


def labels(model, picture, ori_shape=None, **test_cfg):
    model.prediction = PredictionSettings.of(test_cfg)
    sample = SegDataSample()
    if ori_shape:
        sample.set_metainfo(dict(ori_shape=ori_shape, img_shape=tuple(picture.shape[1:])))
    with torch.no_grad():
        [sample] = model.test_step(dict(inputs=[picture], data_samples=[sample]))
    return sample.pred_sem_seg.data[0]


@pytest.mark.parametrize('length', [64, 65, 200, 320, 333])
def test_windows_make_the_picture(length):
    """If it fails, a pixel has no class, or two windows write it."""
    made = spans(length, 64, 32)
    assert [pixel for span in made for pixel in range(span.first, span.last)] == [*range(length)]
    for span in made:
        assert 0 <= span.start <= span.first <= span.last <= span.stop <= length
        assert span.size <= 64 and span.start % 32 == 0
        assert span.first - span.start >= 16 or span.start == 0
    assert len(made) == 1 or made[-1].size > 32


@pytest.mark.parametrize('size', [(64, 96), (97, 131)])
@pytest.mark.parametrize('ori_shape', [None, (150, 200)])
def test_one_window_is_the_whole_picture(size, ori_shape):
    """Bit by bit: a window that covers the picture changes nothing."""
    model, picture = network(), image(*size)
    whole = labels(model, picture, ori_shape)
    assert whole.unique().numel() > 2
    slid = labels(model, picture, ori_shape, mode='slide', crop_size=512)
    assert slid.dtype == whole.dtype and torch.equal(slid, whole)


@pytest.mark.parametrize('ori_shape', [None, (150, 500)])
def test_windows_equal_the_whole_picture(ori_shape):
    """Where the overlap covers what a place of the map sees, also at sizes of odd numbers."""
    model, picture = network(), image(331, 261)
    whole = labels(model, picture, ori_shape)
    slid = labels(model, picture, ori_shape, mode='slide', crop_size=128, stride=64)
    assert (slid == whole).double().mean() > 0.9995


@MODELS.register_module(force=True)
class PatchBackbone(BaseBackbone):
    """Patches of 14 pixels, each by itself."""

    out_channels = stage_channels = (6,)
    strides = (14,)

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 14, 14)

    def forward_stages(self, x):
        down, right = (-side % 14 for side in x.shape[2:])
        x = self.patches(F.pad(x, (0, right, 0, down)))
        return (x,), (x,)


def test_windows_of_patches_of_14_pixels():
    """If it fails, the maps of windows lie beside those of the whole picture, silently."""
    model, picture = network('PatchBackbone'), image(500, 261)
    whole = labels(model, picture)
    slid = labels(model, picture, mode='slide', crop_size=320, stride=224)
    assert (slid == whole).double().mean() > 0.9995
    with pytest.raises(InvalidInputError, match=r'test_cfg.stride is 64, .* multiple of 224, as'):
        labels(model, picture, mode='slide', crop_size=128, stride=64)
    one = labels(model, picture, mode='slide', crop_size=512)
    assert torch.equal(one, whole), 'one window has no grid'


def test_averages_of_the_whole_picture():
    """Each pass makes one more of a chain of global poolings that of the whole picture."""
    model, picture = network('PoolingBackbone'), image(320, 320)
    picture[:, :160] //= 4  # dark above, bright below: a window's mean is another
    whole = labels(model, picture)
    slide = dict(mode='slide', crop_size=128, stride=64)
    agree = [
        (labels(model, picture, **slide, pooling_passes=passes) == whole).double().mean()
        for passes in (0, 1, 2)
    ]
    assert agree[0] < 0.99 and agree[1] > agree[0] and agree[2] > 0.9995


def test_flip_and_scales_average_probabilities():
    """Against the plain formula: softmax of each full-size map, mean, argmax."""
    model, picture = network(), image(64, 96)
    inputs = model.data_preprocessor(dict(inputs=[picture]))['inputs']
    total = 0
    with torch.no_grad():
        for scale in (0.5, 1, 1.5):
            size = (round(64 * scale), round(96 * scale))
            resized = F.interpolate(inputs, size, mode='bilinear', align_corners=False)
            for flip in (False, True):
                logits = model(resized.flip(-1) if flip else resized)
                logits = logits.flip(-1) if flip else logits
                total += F.interpolate(logits, (64, 96), mode='bilinear').softmax(1)
    made = labels(model, picture, flip=True, scales=[0.5, 1, 1.5])
    assert (made == total[0].argmax(0)).double().mean() > 0.9995
    assert (made == labels(model, picture)).double().mean() < 0.9995


def test_a_symmetric_prediction():
    """If it fails, a mirrored pass is not mirrored back, or windows cut it elsewhere."""
    model, picture = network(), image(192, 256)
    test_cfg = dict(mode='slide', crop_size=128, stride=64, flip=True)
    made, mirrored = (labels(model, each, **test_cfg) for each in (picture, picture.flip(-1)))
    assert (made == mirrored.flip(-1)).double().mean() > 0.9995


def test_sigmoid_heads_average_sigmoids():
    """A class of a sigmoid head does not take from the others, see LwF-MC."""
    picture = image(64, 96)
    soft, sigmoid = (network(loss=loss) for loss in ('CrossEntropyLoss', 'BinaryCrossEntropyLoss'))
    assert torch.equal(labels(soft, picture), labels(sigmoid, picture))
    test_cfg = dict(scales=[0.25, 1, 2])
    inputs = sigmoid.data_preprocessor(dict(inputs=[picture]))['inputs']
    total = 0
    with torch.no_grad():
        for scale in test_cfg['scales']:
            size = (round(64 * scale), round(96 * scale))
            logits = sigmoid(F.interpolate(inputs, size, mode='bilinear', align_corners=False))
            total += F.interpolate(logits, (64, 96), mode='bilinear').sigmoid()
    made = labels(sigmoid, picture, **test_cfg)
    assert (made == total[0].argmax(0)).double().mean() > 0.9995
    assert not torch.equal(made, labels(soft, picture, **test_cfg))


def test_a_decision_of_the_head_holds_for_averages(monkeypatch):
    """A head that says background where no class is likely says so of averages, too."""
    model, picture = network(loss='BinaryCrossEntropyLoss'), image(64, 96)
    kind = type(model.decode_head)

    def decide(self, logits):
        best = logits[:, 1:].max(1)
        return ((best.indices + 1) * (best.values > 0)).byte()

    monkeypatch.setattr(kind, 'decide', decide)
    whole, averaged = labels(model, picture), labels(model, picture, scales=[1, 1.0])
    assert 0 in whole and torch.equal(whole, averaged)


@pytest.mark.parametrize(
    ('test_cfg', 'message'),
    [
        (dict(mode='slides'), "test_cfg.mode is 'slides', expected 'whole' or 'slide'; did you"),
        (
            dict(mode='slide'),
            'crop_size is None, expected pixels.*as mode is slide; for instance 1024$',
        ),
        (dict(mode='slide', crop_size=32), 'test_cfg.crop_size is 32, expected .*64 to 16384'),
        (dict(mode='slide', crop_size=[1, 2, 3]), 'test_cfg.crop_size is'),
        (dict(mode='slide', crop_size=512, stride=300), 'stride is 300, expected a multiple of 32'),
        (dict(mode='slide', crop_size=512, stride=512), 'stride is 512, expected at most 480'),
        (dict(crop_size=512), "test_cfg.crop_size is 512, expected None, or mode='slide'"),
        (dict(scales=[1, 0]), 'test_cfg.scales is'),
        (dict(scales=[]), 'test_cfg.scales is'),
        (dict(flip=1), 'test_cfg.flip is 1, expected True or False'),
        (dict(flips=True), "unknown key 'test_cfg.flips'.*did you mean 'test_cfg.flip'"),
        (dict(pooling_passes=-1), 'test_cfg.pooling_passes is -1'),
        ('slide', "test_cfg is 'slide', expected a dict"),
    ],
)
def test_wrong_settings_are_refused(test_cfg, message):
    """In one line that names the key."""
    with pytest.raises(InvalidInputError, match=message):
        PredictionSettings.of(test_cfg)


def test_in_words():
    """The words of titles and ledgers; whole pictures have none."""
    assert PredictionSettings.of(dict(mode='whole', scales=[1.0])) is None
    made = PredictionSettings.of(
        dict(mode='slide', crop_size=[512, 1024], stride=[320, 640], flip=True, scales=(0.5, 1))
    )
    assert str(made) == 'windows of 512x1024 every 320x640, flip, scales 0.5 1'
    assert str(PredictionSettings.of(dict(mode='slide', crop_size=768))) == (
        'windows of 768 every 512'
    )
