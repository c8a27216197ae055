"""The registered terms on logits: which logits are compared, how they are weighted and computed."""

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models import BaseDistillation
from incseg.models.distillation.logits import losses_in_one_pass, shares_a_pass
from incseg.models.losses.functional import (
    binary_distillation,
    distillation,
    unbiased_distillation,
)
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs
from incseg.structures.network_outputs import upsample

SOFT = ['LogitsDistillation', 'UnbiasedLogitsDistillation']
FUNCTIONS = {
    'LogitsDistillation': lambda z, q: distillation(z, q, 2.0),
    'UnbiasedLogitsDistillation': lambda z, q: unbiased_distillation(z, q, 2.0),
    'BinaryDistillation': binary_distillation,
}


class Constant(BaseDistillation):
    """A term whose un-weighted value is two."""

    def compare(self, student, teacher):
        return torch.tensor(2.0)


def outputs(channels: int, seed: int) -> NetworkOutputs:
    generator = torch.Generator().manual_seed(seed)
    logits = {
        name: torch.randn(2, channels, 2, 3, generator=generator).requires_grad_()
        for name in ('decode_head', 'aux_16')
    }
    return NetworkOutputs((), logits, (8, 12))


def test_weight():
    """If it fails, `loss_weight=100.` in a config has no effect."""
    nothing = NetworkOutputs((), {}, (1, 1))
    assert Constant()(nothing, nothing) == 2
    assert Constant(loss_weight=2.5)(nothing, nothing) == 5
    assert Constant().source == 'decode_head'


def test_compare_is_required():
    """If it fails, a term that compares nothing can be built."""
    with pytest.raises(TypeError):
        BaseDistillation()  # type: ignore[abstract]


@pytest.mark.parametrize('weight', [-10, 'x', None, float('inf')])
def test_bad_weight(weight):
    """If it fails, a term drives the student away from its teacher, or step 1 dies."""
    with pytest.raises(
        InvalidInputError, match=f'^Constant loss_weight is {weight!r}, expected a number of at'
    ):
        Constant(loss_weight=weight)


@pytest.mark.parametrize('name', SOFT)
@pytest.mark.parametrize('alpha', ['x', -1, True])
def test_bad_alpha(name, alpha):
    """If it fails, it is found after the base step was trained."""
    with pytest.raises(InvalidInputError, match=f'^{name} alpha is {alpha!r}, expected a number'):
        MODELS.build(dict(type=name, alpha=alpha))


@pytest.mark.parametrize('fused', [True, False])
@pytest.mark.parametrize('source', ['decode_head', 'aux_16'])
@pytest.mark.parametrize('name', FUNCTIONS)
def test_source_weight_and_size(name, source, fused):
    """If it fails, the term reads another head, or at low resolution, or loses a factor."""
    student, teacher = outputs(5, 0), outputs(3, 1)
    options = dict(alpha=2.0) if name in SOFT else {}
    term = MODELS.build(dict(type=name, loss_weight=100.0, source=source, fused=fused, **options))
    large = (upsample(x.logits[source], (8, 12)) for x in (student, teacher))
    expected = 100 * FUNCTIONS[name](*large)
    loss = term(student, teacher)
    torch.testing.assert_close(loss, expected)
    ours, theirs = (torch.autograd.grad(x, student.logits[source])[0] for x in (loss, expected))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('loss', ['CrossEntropyLoss', 'UnbiasedCrossEntropyLoss'])
@pytest.mark.parametrize('term', SOFT)
def test_together_is_apart(loss, term):
    """If it fails, a factor is lost, or one of the two reads the other's settings."""
    criterion = MODELS.build(dict(type=loss, loss_weight=2.0))
    compare = MODELS.build(dict(type=term, loss_weight=5.0, source='x', alpha=0.5))
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(2, n, 3, 4, generator=generator) for n in (6, 4))
    target = torch.randint(0, 6, (2, 24, 32), generator=generator)
    together = losses_in_one_pass(
        criterion, compare, student, teacher, target, num_old=4, ignore_index=1
    )
    apart = (
        criterion(student, target, num_old=4, ignore_index=1),
        compare(*(NetworkOutputs((), dict(x=x), (24, 32)) for x in (student, teacher))),
    )
    torch.testing.assert_close(together, apart)


def test_image_weight_is_the_losss_alone():
    """If it fails, an uncertain image is distilled less, or counts in full."""
    criterion = MODELS.build(dict(type='CrossEntropyLoss', loss_weight=2.0))
    compare = MODELS.build(dict(type='LogitsDistillation', loss_weight=5.0))
    student, teacher = torch.randn(2, 6, 3, 4), torch.randn(2, 4, 3, 4)
    target, weight = torch.randint(0, 6, (2, 24, 32)), torch.tensor([0.5, 0.0])
    options = dict(num_old=4, ignore_index=255)
    loss, term = losses_in_one_pass(
        criterion, compare, student, teacher, target, image_weight=weight, **options
    )
    _, same = losses_in_one_pass(criterion, compare, student, teacher, target, **options)
    torch.testing.assert_close(term, same)
    torch.testing.assert_close(loss, criterion(student[:1], target[:1], **options) / 4)


def test_only_fused_ones_share():
    """If it fails, `fused=False` or a custom loss is overruled."""
    loss, term = dict(type='CrossEntropyLoss'), dict(type='LogitsDistillation')
    build = MODELS.build
    assert shares_a_pass(build(loss), build(term))
    assert not shares_a_pass(build(dict(loss, fused=False)), build(term))
    assert not shares_a_pass(build(loss), build(dict(term, fused=False)))
    assert not shares_a_pass(torch.nn.Identity(), build(term))
    assert not shares_a_pass(build(loss), torch.nn.Identity())


def test_binary_term_in_a_network(build_pair):
    """If it fails, LwF-MC's total is not BCE on three heads plus 10 x the term on the fused one.

    A student that starts from its teacher has the teacher's binary entropies
    as its term and no gradient from it.
    """
    loss = dict(type='FCNHead', loss_decode=dict(type='BinaryCrossEntropyLoss'))
    model = build_pair(
        [4, 2],
        init='RandomInit',
        decode_head=loss,
        auxiliary_head=dict(aux_16=loss, aux_32=loss),
        distillation=dict(logits=dict(type='BinaryDistillation', loss_weight=10.0)),
    ).eval()
    inputs, labels = torch.randn(1, 3, 12, 10), torch.randint(0, 6, (1, 12, 10))
    losses = model.loss(inputs, labels)
    assert list(losses) == [
        'decode_head.loss',
        'aux_16.loss',
        'aux_32.loss',
        'distillation.logits.loss',
    ]
    q = upsample(model.teacher.extract(inputs).logits['decode_head'], (12, 10)).sigmoid()
    entropy = -(q * q.log() + (1 - q) * (1 - q).log()).sum(1).mean()
    torch.testing.assert_close(losses['distillation.logits.loss'], 10 * entropy)
    weight = model.backbone.conv.weight
    apart = torch.autograd.grad(losses['distillation.logits.loss'], weight, retain_graph=True)[0]
    whole = torch.autograd.grad(losses['decode_head.loss'], weight)[0]
    assert apart.abs().max() < 1e-5 < whole.abs().max()
