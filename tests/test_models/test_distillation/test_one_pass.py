"""A loss and a term computed together must be what they are apart."""

import pytest
import torch

from incseg.models.distillation.logits import losses_in_one_pass, shares_a_pass
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs


@pytest.mark.parametrize('loss', ['CrossEntropyLoss', 'UnbiasedCrossEntropyLoss'])
@pytest.mark.parametrize('term', ['LogitsDistillation', 'UnbiasedLogitsDistillation'])
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
    loss, kept = losses_in_one_pass(
        criterion, compare, student, teacher, target, image_weight=weight, **options
    )
    _, same = losses_in_one_pass(criterion, compare, student, teacher, target, **options)
    torch.testing.assert_close(kept, same)
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
