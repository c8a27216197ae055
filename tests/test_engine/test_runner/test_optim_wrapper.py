import pytest
import torch
from mmengine.registry import init_default_scope

from incseg.registry import OPTIM_WRAPPERS


def make(**kwargs):
    init_default_scope('incseg')
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    wrapper = OPTIM_WRAPPERS.build(dict(type='StepOptimWrapper', optimizer=optimizer, **kwargs))
    return parameter, wrapper


def test_callbacks_stand_between_backward_and_step_and_clearing():
    """EWC, PI and RW need the gradient before the step and the parameter after it."""
    parameter, wrapper = make()
    seen = []

    def note():
        seen.append((parameter.item(), parameter.grad.item()))

    wrapper.after_backward.append(note)
    wrapper.after_step.append(note)
    wrapper.update_params((parameter * 3).sum())
    assert seen == [(1.0, 3.0), (-0.5, 3.0)]
    assert parameter.grad is None


@pytest.mark.parametrize('amp', [False, True])
def test_autocast(amp):
    """--amp runs matrix products in bfloat16, on CPU too, and nothing else changes."""
    _, wrapper = make(amp=amp)
    model = torch.nn.Linear(2, 2)
    with wrapper.optim_context(model):
        assert model(torch.ones(1, 2)).dtype == (torch.bfloat16 if amp else torch.float32)
