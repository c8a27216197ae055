"""The network: losses of its heads, names of its weights, what its config may say."""

from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.errors import InvalidInputError
from incseg.models import EncoderDecoder, IncrementalSegmentor
from incseg.structures import SegDataSample

HEADS = ['decode_head', 'aux_16', 'aux_32']


class Recorder(nn.Module):
    """A custom loss that remembers how it was called."""

    def __init__(self, low_resolution=None):
        super().__init__()
        self.calls = []
        if low_resolution is not None:
            self.low_resolution = low_resolution

    def forward(self, *args, **kwargs):
        self.calls.append((args, kwargs))
        return args[0].sum() * 0 + 2


def samples(labels: torch.Tensor) -> list[SegDataSample]:
    result = []
    for label in labels:
        result.append(
            SegDataSample(metainfo=dict(img_shape=tuple(label.shape), ori_shape=tuple(label.shape)))
        )
        result[-1].gt_sem_seg = PixelData(data=label[None])
    return result


def loss_of(model: EncoderDecoder, inputs: torch.Tensor, labels: torch.Tensor) -> dict:
    return model(inputs, samples(labels), mode='loss')


def predictions(model: EncoderDecoder, images: list, **metainfo) -> list[torch.Tensor]:
    """Through preprocessor and network, as one batch."""
    given = [SegDataSample(metainfo=metainfo) for _ in images]
    with torch.no_grad():
        return [
            s.pred_sem_seg.data for s in model.test_step(dict(inputs=images, data_samples=given))
        ]


def random_image(height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 5, generator=generator)
    smooth = F.interpolate(coarse, (height, width), mode='bilinear')[0]
    return (smooth * 255).to(torch.uint8)


def test_losses_by_hand(build):
    """If it fails, a head's loss is missing, mis-weighted or computed at another size."""
    model = build([4, 2], auxiliary_weight=0.25).eval()
    inputs = torch.randn(2, 3, 12, 10)
    labels = torch.randint(0, 6, (2, 12, 10), dtype=torch.uint8)
    labels[0, :5] = 255
    losses = loss_of(model, inputs, labels)
    assert list(losses) == [f'{name}.loss' for name in HEADS]
    logits = model.extract(inputs).logits
    for name in HEADS:
        full = F.interpolate(logits[name], (12, 10), mode='bilinear', align_corners=False)
        each = F.cross_entropy(full, labels.long(), ignore_index=255, reduction='none')
        weight = 1.0 if name == 'decode_head' else 0.25
        torch.testing.assert_close(losses[f'{name}.loss'], weight * each.mean())
    total, _ = model.parse_losses(losses)
    torch.testing.assert_close(total, sum(losses.values()))


def test_default_auxiliary_weight_is_one(build):
    """If it fails, BiSeNet's alpha is not the paper's 1."""
    model = build([3]).eval()
    assert model.auxiliary_weight == 1
    assert build([3], auxiliary_head=None).heads.keys() == {'decode_head'}


@pytest.mark.parametrize('low_resolution', [None, False, True])
def test_custom_loss_is_called_as_documented(build, low_resolution):
    """If it fails, losses written against DESIGN.md's interface break."""
    recorder = Recorder(low_resolution)
    model = build(
        [4, 2], decode_head=dict(type='FCNHead', loss_decode=recorder), auxiliary_head=None
    )
    labels = torch.randint(0, 6, (2, 12, 10), dtype=torch.uint8)
    losses = loss_of(model, torch.randn(2, 3, 12, 10), labels)
    ((args, kwargs),) = recorder.calls
    logits, target = args
    assert logits.shape == ((2, 6, 6, 5) if low_resolution else (2, 6, 12, 10))
    assert torch.equal(target, labels)
    assert kwargs == dict(num_old=4, ignore_index=255)
    assert list(losses) == ['decode_head.loss']
    assert losses['decode_head.loss'] == 2


@pytest.mark.parametrize('outputs_per_step', [[5], [4, 1], [2] + [1] * 100, [200, 100]])
def test_any_number_of_steps_and_classes(build, outputs_per_step):
    """If it fails, single-class steps, a hundred steps or over 256 classes break somewhere."""
    model = build(outputs_per_step)
    total = sum(outputs_per_step)
    labels = torch.arange(144).view(1, 12, 12) % min(total, 255)
    losses = loss_of(model, torch.randn(1, 3, 12, 12), labels.to(torch.uint8))
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    old = 1 if len(outputs_per_step) == 1 else total - outputs_per_step[-1]
    assert all(h.classifier.num_old == old for h in model.heads.values())
    (prediction,) = predictions(model.eval(), [random_image(12, 12)])
    assert prediction.dtype == (torch.uint8 if total <= 256 else torch.int64)
    assert prediction.max() < total


def test_step_names_are_a_superset(build):
    """If it fails, step k cannot be loaded from the checkpoint of step k-1."""
    before, after = (build(steps, bisenet=True).state_dict() for steps in ([3], [3, 2]))
    assert before.keys() < after.keys()
    assert all(after[name].shape == value.shape for name, value in before.items())
    assert len(after) - len(before) == 6  # weight and bias, three heads


def test_batch_of_one_trains_every_parameter(build):
    """If it fails, a short last batch stops, or DDP waits for a gradient that never comes."""
    model = build([3, 2], bisenet=True)
    labels = torch.randint(0, 5, (1, 48, 40), dtype=torch.uint8)
    sum(loss_of(model, torch.randn(1, 3, 48, 40), labels).values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_norm_cfg_everywhere():
    """If it fails, a whole BiSeNet asked for GroupNorm still holds BatchNorm."""
    gn = dict(type='GN', num_groups=8)
    with torch.device('meta'):
        model = IncrementalSegmentor(
            dict(type='BiSeNet', norm_cfg=gn),
            dict(type='FCNHead', norm_cfg=gn),
            [4, 2],
            auxiliary_head=dict(aux_16=dict(type='FCNHead', in_index=1, norm_cfg=gn)),
        )
    assert not any(isinstance(m, _BatchNorm) for m in model.modules())


@pytest.mark.parametrize('training', [True, False])
def test_channels_last_is_only_a_layout(build, training):
    """If it fails, the faster memory layout changes losses, gradients or predictions."""
    results = []
    for channels_last in (True, False):
        model = (
            build(
                [4, 2],
                bisenet=True,
                channels_last=channels_last,
                decode_head=dict(type='FCNHead', dropout_ratio=0),
                auxiliary_head=None,
            )
            .double()
            .train(training)
        )
        weight = model.backbone.context_path.resnet.layer1[0].conv1.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == channels_last
        torch.manual_seed(1)
        inputs = torch.randn(2, 3, 40, 56, dtype=torch.float64)
        labels = torch.randint(0, 6, (2, 40, 56), dtype=torch.uint8)
        (loss,) = loss_of(model, inputs, labels).values()
        loss.backward()
        results.append((model(inputs), loss, weight.grad))
    for a, b in zip(*results):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-10)


def test_built_without_a_default_scope(build, monkeypatch):
    """If it fails, the library works only inside a Runner: mmengine looks elsewhere."""
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())
    assert DefaultScope.get_current_instance() is None
    assert type(build([2]).data_preprocessor).__name__ == 'SegDataPreProcessor'


def test_head_widths(build):
    """If it fails, BiSeNet's heads do not have the paper's 256 and 64 channels."""
    model = build([2], bisenet=True)
    assert {name: head.channels for name, head in model.heads.items()} == dict(
        decode_head=256, aux_16=64, aux_32=64
    )


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(decode_head=dict(type='FCNHead', in_index=1)),
            'model.decode_head.in_index is 1, expected the index of one of the 1 maps of ',
        ),
        (
            dict(auxiliary_head=dict(aux_16=dict(type='FCNHead', in_index=-2))),
            'model.auxiliary_head.aux_16.in_index is -2',
        ),
        (
            dict(decode_head=dict(type='FCNHead', in_channels=7)),
            'model.decode_head.in_channels is 7, expected 6, as map -1 of ',
        ),
        (dict(auxiliary_head=dict(decode_head=dict(type='FCNHead'))), "named 'decode_head'"),
    ],
)
def test_config_errors(build, changes, message):
    """If it fails, a wrong head config fails later, deep inside a convolution, or never."""
    with pytest.raises(InvalidInputError, match=message):
        build([2], **changes)


def test_a_head_set_to_none_is_left_out(build):
    """If it fails, a leaf config cannot remove one auxiliary head of its base."""
    model = build([2], auxiliary_head=dict(aux_16=None, aux_32=dict(type='FCNHead')))
    assert list(model.heads) == ['decode_head', 'aux_32']


def test_unknown_mode(build):
    """If it fails, a misspelt mode returns None."""
    with pytest.raises(ValueError, match="mode is 'train', expected 'loss', 'predict' or 'tensor'"):
        build([2])(torch.zeros(1, 3, 4, 4), mode='train')
