"""Where bfloat16 is used without being asked for."""

import pytest
import torch

from incseg.engine import Experiment
from incseg.engine.recipe.step import config_for_step
from incseg.utils.precision import autocasts, computes_in_bfloat16

CPU, CUDA = torch.device('cpu'), torch.device('cuda')


@pytest.fixture(params=[False, True], ids=['without', 'with'])
def instructions(request, monkeypatch):
    """A CPU with and without bfloat16 instructions."""
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: False)
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: request.param)
    return request.param


def test_auto(instructions):
    """If it fails, bfloat16 is emulated (slow) or instructions for it lie idle."""
    assert autocasts('auto', CPU) == instructions
    assert autocasts(True, CPU) and not autocasts(False, CPU)
    assert not autocasts('auto', torch.device('meta'))


def test_a_gpu_that_emulates(monkeypatch):
    """If it fails, an old GPU emulates bfloat16."""
    monkeypatch.setattr(
        torch.cuda, 'is_bf16_supported', lambda including_emulation=True: including_emulation
    )
    assert not computes_in_bfloat16(CUDA)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation=True: True)
    assert computes_in_bfloat16(CUDA)


@pytest.mark.skipif(torch.cuda.is_available(), reason='asks what a CPU would do')
def test_a_step_is_told_what_auto_means(tiny, instructions):
    """If it fails, two machines share a base step that they would train differently."""
    step = config_for_step(Experiment(tiny(**{'schedule.amp': 'auto'})), 0, 32, 'w')
    assert step.optim_wrapper.amp is instructions
