"""Number formats: float32 for losses, bfloat16 where the hardware has it, one rounding on a GPU."""

import pytest
import torch

from incseg.engine import Experiment
from incseg.engine.recipe.step import config_for_step
from incseg.utils.precision import at_least_float32, autocasts, computes_in_bfloat16, gpu_arithmetic

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


@pytest.mark.parametrize(
    ('given', 'result'),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_dtype(given, result):
    """If it fails, half types reach a logsumexp, or float64 checks lose their digits."""
    x = torch.ones(2, dtype=given)
    assert at_least_float32(x).dtype == result
    assert (at_least_float32(x) is x) == (given == result)


def settings():
    """What decides over the numbers that a GPU gives."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    return matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic


@pytest.mark.parametrize('left', [True, False])
@pytest.mark.parametrize('tf32', [True, False])
def test_does_not_depend_on_what_ran_before(left, tf32, gpu_settings):
    """If it fails, the same network gives other numbers after a training than by itself, or what
    is set outlives an error."""
    gpu_settings(tf32=left, benchmark=True)
    with pytest.raises(KeyError), gpu_arithmetic(tf32):
        assert settings() == (tf32, tf32, False, True)
        raise KeyError
    assert settings() == (left, left, True, False)
