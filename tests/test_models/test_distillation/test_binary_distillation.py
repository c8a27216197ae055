"""LwF-MC's registered term: which logits are compared, and how they are weighted."""

import pytest
import torch

from incseg.models.losses.functional import binary_distillation
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs
from incseg.structures.network_outputs import upsample


def outputs(channels: int, seed: int) -> NetworkOutputs:
    generator = torch.Generator().manual_seed(seed)
    logits = {
        name: torch.randn(2, channels, 2, 3, generator=generator).requires_grad_()
        for name in ('decode_head', 'aux_16')
    }
    return NetworkOutputs((), logits, (8, 12))


@pytest.mark.parametrize('fused', [True, False])
@pytest.mark.parametrize('source', ['decode_head', 'aux_16'])
def test_source_weight_and_size(fused, source):
    """If it fails, it reads another head, or at low resolution, or loses the factor."""
    student, teacher = outputs(5, 0), outputs(3, 1)
    term = MODELS.build(
        dict(type='BinaryDistillation', loss_weight=10.0, source=source, fused=fused)
    )
    expected = 10 * binary_distillation(
        *(upsample(x.logits[source], (8, 12)) for x in (student, teacher))
    )
    loss = term(student, teacher)
    torch.testing.assert_close(loss, expected)
    ours, theirs = (torch.autograd.grad(x, student.logits[source])[0] for x in (loss, expected))
    torch.testing.assert_close(ours, theirs)


def test_in_a_network(build_pair):
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
