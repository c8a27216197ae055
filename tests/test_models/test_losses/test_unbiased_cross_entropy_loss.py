"""The registered MiB loss: a thin wrapper that must pass on what it is given."""

import pytest
import torch

from incseg.models import UnbiasedCrossEntropyLoss
from incseg.models.losses.functional import unbiased_cross_entropy
from incseg.registry import MODELS


def test_golden_number_with_weight():
    """If it fails, num_old does not reach the function or the weight is not applied."""
    logits = torch.tensor([2.0, -1.0, 0.5, 1.0, 0.0, -0.5], dtype=torch.float64).view(1, 6, 1, 1)
    loss = MODELS.build(dict(type='UnbiasedCrossEntropyLoss', loss_weight=2.0))
    target = torch.zeros(1, 1, 1, dtype=torch.uint8)
    assert loss(logits, target, num_old=4).item() == pytest.approx(2 * 0.1244355017, abs=1e-9)


@pytest.mark.parametrize('ignore_index', [-1, 7, 255])
def test_ignore_index_reaches_the_function(ignore_index):
    """If it fails, another void label is trained as a class."""
    logits = torch.randn(1, 9, 2, 2, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([[[0, 7], [8, 2]]])
    target[0, 0, 0] = ignore_index
    value = UnbiasedCrossEntropyLoss()(logits, target, num_old=3, ignore_index=ignore_index)
    assert value == unbiased_cross_entropy(logits, target, 3, ignore_index)


def test_base_step_is_cross_entropy():
    """If it fails, MiB trains a base step of its own instead of sharing the common one."""
    logits = torch.randn(2, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    target = torch.randint(0, 5, (2, 3, 3), generator=torch.Generator().manual_seed(0))
    plain = MODELS.build(dict(type=UnbiasedCrossEntropyLoss.base_step_type))
    assert UnbiasedCrossEntropyLoss()(logits, target, num_old=1) == plain(logits, target, num_old=1)
