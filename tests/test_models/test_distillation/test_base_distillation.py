"""The base of distillation terms: weight and source."""

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models import BaseDistillation
from incseg.structures import NetworkOutputs


class Constant(BaseDistillation):
    """A term whose un-weighted value is two."""

    def compare(self, student, teacher):
        return torch.tensor(2.0)


def test_weight():
    """If it fails, `loss_weight=100.` in a config has no effect."""
    outputs = NetworkOutputs((), {}, (1, 1))
    assert Constant()(outputs, outputs) == 2
    assert Constant(loss_weight=2.5)(outputs, outputs) == 5
    assert Constant().source == 'decode_head'


def test_compare_is_required():
    """If it fails, a term that compares nothing can be built."""
    with pytest.raises(TypeError):
        BaseDistillation()  # type: ignore[abstract]


@pytest.mark.parametrize('weight', [-10, 'x', None, float('inf')])
def test_bad_weight(weight):
    """If it fails, a term drives the student away from its teacher, or step 1 dies."""
    with pytest.raises(
        InvalidInputError,
        match=f'^Constant loss_weight is {weight!r}, expected a number of at least 0$',
    ):
        Constant(loss_weight=weight)
