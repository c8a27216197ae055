"""Settings of torch that decide over a GPU's numbers: in force in a training, gone after it."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook

from incseg.apis import inference_model, init_model
from incseg.engine import Experiment, train_protocol
from incseg.engine.base_steps import BaseSteps
from incseg.engine.recipe.step import config_for_step, config_for_test
from incseg.errors import InvalidInputError
from incseg.models.weak.refinement.affinity_random_walk import random_walk
from incseg.registry import HOOKS
from tests.test_utils.test_number_formats import settings

WORKSPACE = 'CUBLAS_WORKSPACE_CONFIG'


def all_settings():
    return (
        *settings(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


@HOOKS.register_module(force=True)
class NoteSettings(Hook):
    """Notes torch's settings in the first iteration, and may fail there."""

    seen: list = []
    error = None

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        NoteSettings.seen.append(all_settings())
        if NoteSettings.error is not None:
            raise NoteSettings.error


@pytest.fixture
def noted(tiny):
    """An experiment of one step that notes the settings of its training."""
    NoteSettings.seen, NoteSettings.error = [], None

    def load(**options):
        options = {f'schedule.{key}': value for key, value in options.items()}
        config = tiny(**{'protocol.name': 'offline', 'data.train.length': 8, **options})
        config.custom_hooks = dict(note=dict(type='NoteSettings'))
        return config

    return load


@pytest.mark.parametrize('left', [True, False])
@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (dict(tf32=True), (True, True, True, False, False, False)),
        (dict(tf32=False), (False, False, True, False, False, False)),
        (dict(tf32=False, deterministic=True), (False, False, False, True, True, False)),
    ],
    ids=['by default', 'without TF32', 'deterministic'],
)
def test_a_training(noted, tmp_path, gpu_settings, left, options, expected):
    """If it fails, a setting does nothing, or stays on: cuDNN then times its algorithms for every
    size of the whole images that come later in the process."""
    gpu_settings(tf32=left, benchmark=left)
    before = all_settings()
    train_protocol(noted(**options), tmp_path / 'run', reuse=False)
    assert set(NoteSettings.seen) == {expected}
    assert all_settings() == before


@pytest.mark.parametrize('error', [KeyboardInterrupt(), ValueError('a loss')])
def test_a_training_that_breaks_off(noted, tmp_path, gpu_settings, error):
    """If it fails, what a notebook computes after an interrupted training is set by it."""
    gpu_settings(tf32=False, benchmark=False)
    before, NoteSettings.error = all_settings(), error
    with pytest.raises(type(error)):
        train_protocol(noted(deterministic=True), tmp_path / 'run', reuse=False)
    assert NoteSettings.seen[0] != before and all_settings() == before


def test_a_part_without_a_deterministic_form(noted, tmp_path):
    """If it fails, the user gets torch's traceback."""
    NoteSettings.error = RuntimeError(
        'adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but you '
        "set 'torch.use_deterministic_algorithms(True)'. You can turn off determinism just …"
    )
    message = '^schedule.deterministic is True, but adaptive_avg_pool2d_backward_cuda has no '
    with pytest.raises(InvalidInputError, match=message):
        train_protocol(noted(deterministic=True), tmp_path / 'run', reuse=False)
    with pytest.raises(RuntimeError, match='^adaptive_avg_pool2d_backward_cuda does not'):
        train_protocol(noted(), tmp_path / 'other', reuse=False)


def test_cublas_without_a_workspace(noted, tmp_path):
    """If it fails, a notebook that used the GPU before it imported incseg gets a traceback."""
    NoteSettings.error = RuntimeError(
        'Deterministic behavior was enabled with either `torch.use_deterministic_algorithms(True)` '
        'or …, but this operation is not deterministic because it uses CuBLAS and you have CUDA >= '
        f'10.2. To enable …: {WORKSPACE}=:4096:8 or {WORKSPACE}=:16:8. For more …'
    )
    with pytest.raises(InvalidInputError, match=f': set {WORKSPACE}=:4096:8 before the start$'):
        train_protocol(noted(deterministic=True), tmp_path / 'run', reuse=False)
    with pytest.raises(RuntimeError, match='^Deterministic behavior was'):
        train_protocol(noted(), tmp_path / 'other', reuse=False)


@pytest.mark.parametrize('own', [None, ':16:8'])
def test_cublas_has_a_workspace(own, tool_environment):
    """If it fails, a deterministic training fails on a GPU after any product: torch reads the
    variable once, at a process's first one.  Or a user's own value is lost."""
    env = {name: value for name, value in tool_environment.items() if name != WORKSPACE}
    say = f'import os, incseg; print(os.environ[{WORKSPACE!r}])'
    said = subprocess.run(
        [sys.executable, '-c', say],
        capture_output=True,
        text=True,
        env=env if own is None else {**env, WORKSPACE: own},
    )
    assert said.stdout.strip() == (own or ':4096:8'), said.stderr


def test_numbers_of_a_cpu(noted, tmp_path):
    """If it fails, the setting changes what a CPU trains."""
    states = []
    for name, options in (('plain', {}), ('fixed', dict(deterministic=True))):
        train_protocol(noted(**options), tmp_path / name, reuse=False)
        path = tmp_path / name / 'step_0/final.pth'
        states.append(torch.load(path, weights_only=True)['state_dict'])
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_base_steps_are_not_shared(tiny):
    """If it fails, a run that promises to repeat takes a base step that does not."""

    def place(**options):
        experiment = Experiment(tiny(**options))
        step, test = config_for_step(experiment, 0, 32, 'w'), config_for_test(experiment, 0, '')
        return BaseSteps('b').place(experiment, step, test, 'data')

    plain = place()
    assert place(**{'schedule.deterministic': False}) == plain
    assert place(**{'schedule.deterministic': True}) != plain


@pytest.mark.parametrize('tf32', [True, False, None])
def test_inference(tiny, gpu_settings, tf32):
    """If it fails, a prediction is rounded in another way than the training's evaluation."""
    model = init_model(tiny(**{'schedule.tf32': tf32}))
    seen = []
    model.test_step = lambda data: seen.append(settings()) or [SimpleNamespace()]
    gpu_settings(tf32=not tf32, benchmark=True)
    before = settings()
    inference_model(model, torch.zeros(32, 32, 3, dtype=torch.uint8).numpy())
    assert seen == [(bool(tf32), bool(tf32), False, True)]
    assert settings() == before


def test_random_walk(gpu_settings, monkeypatch):
    """If it fails, TF32 rounds six squarings of the transition matrix, each on the last one's."""
    seen, plain = [], torch.Tensor.__matmul__

    def product(a, b):
        seen.append((settings()[0], a.dtype))
        return plain(a, b)

    monkeypatch.setattr(torch.Tensor, '__matmul__', product)
    gpu_settings(tf32=True, benchmark=True)
    with torch.autocast('cpu', torch.bfloat16):
        walked = random_walk(torch.ones(2, 2, 2), torch.full((4, 4), 0.25), 6)
    assert set(seen) == {(False, torch.float32)} and len(seen) == 7
    assert walked.dtype is torch.float32 and settings()[0]
