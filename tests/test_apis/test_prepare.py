"""A network made ready for inference: the same predictions from less work."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.apis import prepare_for_inference
from incseg.apis.prepare import weight_type
from incseg.models import BaseDecodeHead, EncoderDecoder, IncrementalSegmentor
from incseg.models.decode_heads import GrowingClassifier
from incseg.registry import MODELS

CPU = torch.device('cpu')


@MODELS.register_module(force=True)
class TwistedHead(BaseDecodeHead):
    """A head that normalises before its convolution, registered after it."""

    def __init__(self, in_channels, channels, **kwargs):
        super().__init__(in_channels, channels, **kwargs)
        self.conv = nn.Conv2d(in_channels, channels, 1)
        self.norm = nn.BatchNorm2d(in_channels)

    def forward_features(self, feats):
        return self.conv(self.norm(feats[self.in_index]).relu())


def network(depth=18, head='FCNHead', cls=EncoderDecoder, **kwargs):
    """A BiSeNet with statistics, scales and classifiers as after training."""
    torch.manual_seed(0)
    model = cls(
        dict(type='BiSeNet', depth=depth),
        dict(type=head),
        [3, 2, 1],
        auxiliary_head=dict(aux_16=dict(type='FCNHead', in_index=1)),
        **kwargs,
    )
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    for conv in model.decode_head.classifier.convs:
        nn.init.normal_(conv.weight, std=0.2)
        nn.init.normal_(conv.bias)
    return model.eval()


@torch.no_grad()
def logits_of(model, size=(64, 80)):
    return model(torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1)))


def relative_error(model, expected):
    return float((logits_of(model) - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize('depth', [18, 50])
@pytest.mark.parametrize('channels_last', [True, False])
def test_the_same_logits(depth, channels_last):
    """If it fails, a BatchNorm was folded into the wrong convolution, or steps are mixed up."""
    model = network(depth)
    fast = prepare_for_inference(model, 'float32', channels_last)
    assert relative_error(fast, logits_of(model)) < 1e-5
    weight = fast.backbone.context_path.resnet.layer2[0].conv2.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == channels_last
    inputs = []
    fast.backbone.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    logits_of(fast)
    assert inputs[0].is_contiguous(memory_format=torch.channels_last) == channels_last


def test_every_norm_counts():
    """If it fails, the test above would pass without any folding: the statistics are trivial."""
    model = network()
    expected = logits_of(model)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
    assert relative_error(model, expected) > 0.1


def test_nothing_is_left_of_training():
    """If it fails, a prediction pays for what only training needs."""
    model = network()
    fast = prepare_for_inference(model)
    kinds = {type(module) for module in fast.modules()}
    assert not any(
        issubclass(kind, (_BatchNorm, nn.Dropout2d, GrowingClassifier)) for kind in kinds
    )
    assert list(fast.heads) == ['decode_head']
    assert type(fast.decode_head.classifier) is nn.Conv2d
    assert fast.decode_head.classifier.weight.shape == (6, 256, 1, 1)
    assert not fast.training
    assert not any(p.requires_grad for p in fast.parameters())


def test_the_teacher_stays_behind():
    """If it fails, the copy holds a second network in memory."""
    term = dict(logits=dict(type='UnbiasedLogitsDistillation', loss_weight=10.0))
    model = network(cls=IncrementalSegmentor, distillation=term)
    teacher = network()
    model.set_teacher(teacher)
    fast = prepare_for_inference(model, 'float32')
    assert fast.teacher is None and not fast.needs_teacher
    assert model.teacher is teacher and model.needs_teacher
    assert relative_error(fast, logits_of(model)) < 1e-5


def test_the_network_stays_as_it_is():
    """If it fails, predicting in the middle of a training spoils it."""
    model = network(channels_last=False).train()
    model.dataset_meta, model.config = dict(classes=['a']), dict(seed=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fast = prepare_for_inference(model, 'bfloat16')
    assert (fast.dataset_meta, fast.config) == (dict(classes=['a']), dict(seed=3))
    assert model.training and list(model.heads) == ['decode_head', 'aux_16']
    assert all(p.requires_grad for p in model.parameters())
    assert model.memory_format == torch.contiguous_format
    after = model.state_dict()
    assert list(after) == list(before)
    for name, value in before.items():
        assert after[name].dtype == value.dtype
        assert after[name].stride() == value.stride()
        assert torch.equal(after[name], value)


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_low_precision(dtype):
    """If it fails, half types do not run, or normalise images with a rounded mean."""
    model = network()
    fast = prepare_for_inference(model, dtype)
    assert {p.dtype for p in fast.parameters()} == {getattr(torch, dtype)}
    assert fast.data_preprocessor.mean.dtype == torch.float32
    image = torch.randint(0, 256, (3, 64, 80), dtype=torch.uint8)
    with torch.no_grad():
        plain, rough = (
            m.test_step(dict(inputs=[image]))[0].pred_sem_seg.data for m in (model, fast)
        )
    assert rough.dtype == torch.uint8 and len(plain.unique()) > 1
    assert (plain == rough).float().mean() > 0.95


@pytest.mark.parametrize(
    ('amx', 'avx512', 'expected'),
    [(False, False, torch.float32), (True, False, torch.bfloat16), (False, True, torch.bfloat16)],
)
def test_auto(monkeypatch, amx, avx512, expected):
    """If it fails, bfloat16 is emulated (slow) or instructions for it lie idle."""
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: amx)
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: avx512)
    assert weight_type('auto', CPU) == expected
    assert weight_type('float32', CPU) == torch.float32
    assert weight_type('auto', torch.device('meta')) == torch.float32


def test_unknown_dtype():
    """If it fails, a typo gives a torch error, or silently another precision."""
    with pytest.raises(ValueError, match="dtype is 'fp16', expected 'auto', 'float32"):
        prepare_for_inference(network(), 'fp16')


def test_compile(monkeypatch):
    """If it fails, the switch does nothing, or compiling is not optional."""
    compiled = []
    monkeypatch.setattr(nn.Module, 'compile', lambda self: compiled.append(self))
    fast = prepare_for_inference(network(), compile=True)
    assert compiled == [fast.backbone, fast.decode_head]
    prepare_for_inference(network())
    assert len(compiled) == 2


def test_norms_that_do_not_follow_their_convolution():
    """If it fails, a custom head's predictions are silently wrong after folding."""
    model = network(head='TwistedHead')
    with pytest.warns(UserWarning, match='TwistedHead: its BatchNorm is not what follows'):
        fast = prepare_for_inference(model, 'float32')
    left = [module for module in fast.modules() if isinstance(module, _BatchNorm)]
    assert left == [fast.decode_head.norm]
    assert relative_error(fast, logits_of(model)) < 1e-5


@pytest.mark.parametrize('kind', ['GN', 'without statistics'])
def test_other_norms_stay(kind):
    """If it fails, networks without foldable norms cannot be prepared."""
    model = network()
    head = model.decode_head.conv
    head.bn = (
        nn.GroupNorm(8, 256)
        if kind == 'GN'
        else nn.BatchNorm2d(256, affine=False, track_running_stats=False)
    )
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        fast = prepare_for_inference(model.eval(), 'float32')
    assert type(fast.decode_head.conv.bn) is type(head.bn)
    assert relative_error(fast, logits_of(model)) < 1e-5


def test_another_classifier_stays():
    """If it fails, a classifier with a formula of its own becomes a plain convolution."""

    class Cosine(GrowingClassifier):
        def forward(self, x):
            return super().forward(nn.functional.normalize(x, dim=1))

    model = network()
    model.decode_head.classifier.__class__ = Cosine
    fast = prepare_for_inference(model, 'float32')
    assert isinstance(fast.decode_head.classifier, Cosine)
    assert relative_error(fast, logits_of(model)) < 1e-5


def test_twice_is_once():
    """If it fails, a prepared network cannot be prepared for another device or type."""
    model = network()
    fast = prepare_for_inference(prepare_for_inference(model, 'float32'), 'float32')
    assert relative_error(fast, logits_of(model)) < 1e-5
