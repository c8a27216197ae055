"""The registered losses: thin classes that must hand on what they get."""

import pytest
import torch
import torch.nn.functional as F

from incseg.engine import Experiment
from incseg.engine.recipe.network import model_config
from incseg.models import CrossEntropyLoss, UnbiasedCrossEntropyLoss
from incseg.models.losses.functional import (
    binary_cross_entropy,
    soft_binary_cross_entropy,
    unbiased_cross_entropy,
)
from incseg.registry import MODELS
from incseg.structures.network_outputs import upsample

LOSSES = ['CrossEntropyLoss', 'UnbiasedCrossEntropyLoss', 'BinaryCrossEntropyLoss']


def build(name, **options):
    return MODELS.build(dict(type=name, **options))


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize('weight', [None, torch.tensor([0.5, 2.0])], ids=['plain', 'weighted'])
def test_fused_is_plain(name, weight, generator):
    """If it fails, `fused=False` trains something else than the default."""
    logits = torch.randn(2, 6, 3, 4, generator=generator).requires_grad_()
    target = torch.randint(0, 6, (2, 24, 32), generator=generator)
    target[0, :3] = 7
    fused, plain = (build(name, loss_weight=2.0, fused=on) for on in (True, False))
    assert fused.low_resolution and not plain.low_resolution
    options = dict(num_old=4, ignore_index=7)
    weighted = dict(options, image_weight=weight)
    large = upsample(logits, (24, 32))
    losses = fused(logits, target, **weighted), plain(large, target, **weighted)
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in losses))
    parts = torch.stack([fused(logits[i : i + 1], target[i : i + 1], **options) for i in (0, 1)])
    torch.testing.assert_close(losses[0], (parts if weight is None else parts * weight).mean())


@pytest.mark.parametrize('fused', [True, False])
@pytest.mark.parametrize('ignore_index', [-1, 7, 255])
@pytest.mark.parametrize(
    'name, function',
    [
        ('UnbiasedCrossEntropyLoss', lambda z, y, void: unbiased_cross_entropy(z, y, 3, void)),
        ('CrossEntropyLoss', lambda z, y, void: unbiased_cross_entropy(z, y, 0, void)),
        ('BinaryCrossEntropyLoss', binary_cross_entropy),
    ],
)
def test_weight_and_ignore_index(name, function, ignore_index, fused, generator):
    """If it fails, the factor is lost, or another void label is trained as a class."""
    logits = torch.randn(1, 9, 2, 2, generator=generator)
    target = torch.tensor([[[0, 7], [8, 2]]])
    target[0, 0, 0] = ignore_index
    loss = build(name, loss_weight=3.0, fused=fused)
    value = loss(logits, target, num_old=3, ignore_index=ignore_index)
    torch.testing.assert_close(value, 3 * function(logits, target, ignore_index))


def test_cross_entropy_ignores_num_old():
    """If it fails, fine-tuning becomes MiB: it must take background as background."""
    logits = torch.tensor([2.0, -1.0, 0.5, 1.0, 0.0, -0.5]).view(1, 6, 1, 1)
    expected = F.cross_entropy(logits, torch.zeros(1, 1, 1).long())
    for num_old in (1, 4, 6):
        target = torch.zeros(1, 1, 1, dtype=torch.uint8)
        value = build('CrossEntropyLoss')(logits, target, num_old=num_old)
        torch.testing.assert_close(value, expected)


def test_an_old_label_is_its_own_class(generator):
    """If it fails, `sequential`, where old classes are annotated, cannot be trained."""
    logits = torch.tensor([2.0, -1.0, 0.5]).view(1, 3, 1, 1)
    value = CrossEntropyLoss()(logits, torch.ones(1, 1, 1).long(), num_old=2)
    assert value.item() == pytest.approx(torch.logsumexp(logits.flatten(), 0).item() + 1)
    logits, target = torch.randn(1, 6, 2, 2, generator=generator), torch.tensor([[[0, 1], [3, 5]]])
    loss = build('BinaryCrossEntropyLoss')
    values = {loss(logits, target, num_old=k).item() for k in (1, 4, 6)}
    assert values == {binary_cross_entropy(logits, target).item()}


def test_ignored_pixels_stay_in_the_denominator():
    """If it fails, void pixels leave the mean."""
    target = torch.tensor([[[3, 255]]], dtype=torch.uint8)
    value = CrossEntropyLoss(loss_weight=3.0)(
        torch.zeros(1, 4, 1, 2), target, num_old=1, ignore_index=255
    )
    assert value.item() == pytest.approx(3 * torch.tensor(4.0).log().item() / 2)


def test_golden_number_of_the_unbiased_loss():
    """If it fails, num_old does not reach the function or the weight is not applied."""
    logits = torch.tensor([2.0, -1.0, 0.5, 1.0, 0.0, -0.5], dtype=torch.float64).view(1, 6, 1, 1)
    loss = build('UnbiasedCrossEntropyLoss', loss_weight=2.0)
    target = torch.zeros(1, 1, 1, dtype=torch.uint8)
    assert loss(logits, target, num_old=4).item() == pytest.approx(2 * 0.1244355017, abs=1e-9)


@pytest.mark.parametrize('name', LOSSES)
def test_extra_arguments_are_by_name(name):
    """If it fails, num_old and ignore_index can be swapped without anyone noticing."""
    with pytest.raises(TypeError):
        build(name)(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1), 1, 255)


@pytest.mark.parametrize('name', LOSSES)
def test_image_weights_shape(name):
    """If it fails, one weight too few leaves images out in silence."""
    arguments = torch.zeros(2, 3, 1, 1), torch.zeros(2, 4, 4).long()
    with pytest.raises(ValueError, match=r'image_weight is \(1,\), expected \(2,\)'):
        build(name)(*arguments, num_old=1, image_weight=torch.ones(1))


def test_base_step_of_the_unbiased_loss_is_cross_entropy(generator):
    """If it fails, MiB trains a base step of its own instead of sharing the common one."""
    logits = torch.randn(2, 5, 3, 3, generator=generator)
    target = torch.randint(0, 5, (2, 3, 3), generator=generator)
    plain = build(UnbiasedCrossEntropyLoss.base_step_type)
    assert UnbiasedCrossEntropyLoss()(logits, target, num_old=1) == plain(logits, target, num_old=1)


def test_base_step_of_the_sigmoid_loss_is_its_own(tiny):
    """If it fails, step 1 distils sigmoids of a network that was trained with a softmax."""
    model = model_config(Experiment(tiny('lwf_mc', bisenet=True)), 0)
    heads = [model['decode_head'], *model['auxiliary_head'].values()]
    assert {head['loss_decode']['type'] for head in heads} == {'BinaryCrossEntropyLoss'}


@pytest.mark.parametrize('fused', [True, False])
def test_soft_target(fused, generator):
    """If it fails, WILSON's soft labels are taken for train ids, or their weights are lost."""
    logits = torch.randn(2, 3, 2, 2, generator=generator)
    target = torch.rand(2, 3, 4, 4, generator=generator)
    weight = torch.tensor([2.0, 0.5])
    loss = build('BinaryCrossEntropyLoss', loss_weight=3.0, fused=fused)
    assert loss.soft_targets
    value = loss(logits, target, num_old=2, image_weight=weight)
    torch.testing.assert_close(value, 3 * soft_binary_cross_entropy(logits, target, weight))
