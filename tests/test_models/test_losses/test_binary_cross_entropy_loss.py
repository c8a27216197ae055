"""The registered sigmoid loss: a thin wrapper that must pass on what it is given."""

import pytest
import torch

from incseg.models.losses.functional import binary_cross_entropy
from incseg.registry import MODELS
from incseg.structures.network_outputs import upsample


def build(**options):
    return MODELS.build(dict(type='BinaryCrossEntropyLoss', **options))


@pytest.mark.parametrize('weight', [None, torch.tensor([0.5, 2.0])])
def test_fused_is_plain(weight):
    """If it fails, `fused=False` trains something else than the default."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 6, 3, 4, generator=generator).requires_grad_()
    target = torch.randint(0, 6, (2, 24, 32), generator=generator)
    target[0, :3] = 7
    fused, plain = (build(loss_weight=2.0, fused=on) for on in (True, False))
    assert fused.low_resolution and not plain.low_resolution
    options = dict(num_old=4, ignore_index=7, image_weight=weight)
    large = upsample(logits, (24, 32))
    losses = fused(logits, target, **options), plain(large, target, **options)
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in losses))


def test_weight_and_ignore_index():
    """If it fails, the factor is lost, or another void label is trained as a class."""
    logits = torch.randn(1, 9, 2, 2, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([[[0, 7], [8, 2]]], dtype=torch.uint8)
    for fused in (True, False):
        loss = build(loss_weight=3.0, fused=fused)(logits, target, num_old=3, ignore_index=7)
        torch.testing.assert_close(loss, 3 * binary_cross_entropy(logits, target, 7))


def test_an_old_label_is_its_own_class():
    """If it fails, background stands for old classes here as in MiB, or `sequential` is lost."""
    logits = torch.randn(1, 6, 2, 2, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([[[0, 1], [3, 5]]])
    values = {build()(logits, target, num_old=k).item() for k in (1, 4, 6)}
    assert values == {binary_cross_entropy(logits, target).item()}


def test_image_weights_shape():
    """If it fails, one weight too few leaves images out in silence."""
    with pytest.raises(ValueError, match=r'image_weight is \(1,\), expected \(2,\)'):
        build()(
            torch.zeros(2, 3, 1, 1),
            torch.zeros(2, 4, 4).long(),
            num_old=1,
            image_weight=torch.ones(1),
        )


def test_base_step_is_its_own(tiny):
    """If it fails, step 1 distils sigmoids of a network that was trained with a softmax."""
    from incseg.engine import Experiment
    from incseg.engine.recipe.network import model_config

    model = model_config(Experiment(tiny('lwf_mc')), 0)
    heads = [model['decode_head'], *model['auxiliary_head'].values()]
    assert {head['loss_decode']['type'] for head in heads} == {'BinaryCrossEntropyLoss'}


def test_soft_target():
    """If it fails, WILSON's soft labels are taken for train ids, or their weights are lost."""
    from incseg.models.losses.functional import soft_binary_cross_entropy

    logits, target = torch.randn(2, 3, 2, 2), torch.rand(2, 3, 4, 4)
    weight = torch.tensor([2.0, 0.5])
    for fused in (True, False):
        loss = build(loss_weight=3.0, fused=fused)
        assert loss.soft_targets
        value = loss(logits, target, num_old=2, image_weight=weight)
        torch.testing.assert_close(value, 3 * soft_binary_cross_entropy(logits, target, weight))
