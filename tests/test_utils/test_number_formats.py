"""Number formats: float32 for losses, bfloat16 where the hardware has it, one rounding on a GPU."""

import subprocess
import sys

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
    cudnn = torch.backends.cudnn
    return (*(value == 'tf32' for value in rules()[:2]), cudnn.benchmark, cudnn.deterministic)


def rules():
    """torch's rules of rounding: of a GPU's operations, of a GPU, of all devices, of a CPU."""
    every, cudnn = torch.backends, torch.backends.cudnn
    places = every.cuda.matmul, cudnn.conv, cudnn.rnn, cudnn, every, every.mkldnn.matmul
    return tuple(place.fp32_precision for place in places)


@pytest.mark.parametrize('left', [True, False])
@pytest.mark.parametrize('tf32', [True, False])
def test_does_not_depend_on_what_ran_before(left, tf32, gpu_settings):
    """If it fails, the same network gives other numbers after a training than by itself, or what
    is set outlives an error."""
    gpu_settings(tf32=left, benchmark=True)
    with pytest.raises(KeyError), gpu_arithmetic(tf32):
        assert settings() == (tf32, tf32, False, True)
        assert torch.backends.cuda.matmul.allow_tf32 is tf32
        raise KeyError
    assert settings() == (left, left, True, False)


#: users' settings by torch's current API and by its former one
SETTINGS = [
    'pass',
    "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
    "torch.backends.fp32_precision = 'ieee'",
    "torch.backends.fp32_precision = 'tf32'",
    "torch.backends.cudnn.conv.fp32_precision = 'ieee'",
    "torch.backends.cudnn.fp32_precision = 'ieee'",
    "torch.set_float32_matmul_precision('high')",
    "torch.set_float32_matmul_precision('medium')",
    'torch.backends.cudnn.allow_tf32 = False',
]
#: not all of them can be put back, so each is tried in a process of its own
TRIES = """
import os, sys
import torch
from incseg.utils.precision import gpu_arithmetic

every = torch.backends
cudnn = every.cudnn
places = every.cuda.matmul, cudnn.conv, cudnn.rnn, cudnn, every, every.mkldnn.matmul

def rules():
    return [place.fp32_precision for place in places]

def state():
    before, found = every.fp32_precision, [rules()]
    for every.fp32_precision in ('ieee', 'tf32', 'bf16'):  # what follows a later setting
        found.append(rules())
    every.fp32_precision = before
    try:
        return found, torch.get_float32_matmul_precision()
    except RuntimeError:
        return found, None

def check():
    before = state()
    for tf32 in (True, False):
        with gpu_arithmetic(tf32):
            assert set(rules()[:3]) == {'tf32' if tf32 else 'ieee'}, (tf32, rules())
            assert rules()[4:] == before[0][0][4:], rules()
            with gpu_arithmetic(not tf32):
                assert set(rules()[:3]) == {'ieee' if tf32 else 'tf32'}, rules()
        assert state() == before, (tf32, state(), before)

for setting in sys.argv[1:]:
    child = os.fork()
    if not child:
        print(setting, file=sys.stderr, flush=True)
        exec(setting)
        check()
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_users_own_setting(tool_environment):
    """If it fails, trainings, evaluations and predictions end in torch's traceback where a user set
    TF32 by torch's current API, or the user's setting is lost: also that a rule follows another."""
    command = [sys.executable, '-c', TRIES, *SETTINGS]
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=tool_environment)
    assert ended.returncode == 0, ended.stderr
