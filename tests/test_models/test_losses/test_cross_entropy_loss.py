"""The registered cross-entropy: what FT, Joint and every base step learn from."""

import pytest
import torch

from incseg.models import CrossEntropyLoss
from incseg.registry import MODELS


def test_ignores_num_old():
    """If it fails, fine-tuning becomes MiB: it must take background as background."""
    logits = torch.tensor([2.0, -1.0, 0.5, 1.0, 0.0, -0.5]).view(1, 6, 1, 1)
    loss = MODELS.build(dict(type='CrossEntropyLoss'))
    expected = torch.nn.functional.cross_entropy(logits, torch.zeros(1, 1, 1).long())
    for num_old in (1, 4, 6):
        value = loss(logits, torch.zeros(1, 1, 1, dtype=torch.uint8), num_old=num_old)
        torch.testing.assert_close(value, expected)


def test_an_old_label_is_its_own_class():
    """If it fails, `sequential`, where old classes are annotated, cannot be trained by FT."""
    logits = torch.tensor([2.0, -1.0, 0.5]).view(1, 3, 1, 1)
    value = CrossEntropyLoss()(logits, torch.ones(1, 1, 1).long(), num_old=2)
    assert value.item() == pytest.approx(torch.logsumexp(logits.flatten(), 0).item() + 1)


def test_weight_and_ignored_pixels():
    """If it fails, the factor is lost or void pixels leave the denominator."""
    logits = torch.zeros(1, 4, 1, 2)
    target = torch.tensor([[[3, 255]]], dtype=torch.uint8)
    value = CrossEntropyLoss(loss_weight=3.0)(logits, target, num_old=1, ignore_index=255)
    assert value.item() == pytest.approx(3 * torch.tensor(4.0).log().item() / 2)


def test_extra_arguments_are_by_name():
    """If it fails, num_old and ignore_index can be swapped without anyone noticing."""
    with pytest.raises(TypeError):
        CrossEntropyLoss()(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1), 1, 255)
