"""model.channels_last='auto': one trial at the start, its choice kept wherever the run goes on."""

import pytest
import torch

from incseg.apis import init_model
from incseg.engine import memory_layout, train_protocol
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.errors import InvalidInputError
from tests.test_utils.test_number_formats import settings

AUTO = {'model.channels_last': 'auto', 'protocol.name': '5-1'}


@pytest.fixture
def choose(monkeypatch):
    """Let the next trials choose a layout; a list gets an entry for each."""
    trials = []

    def next_choice(channels_last):
        def trial(config, crop):
            trials.append((config.model.channels_last, crop))
            return channels_last, 'measured'

        monkeypatch.setattr(memory_layout, 'trial', trial)
        return trials

    return next_choice


def weight(path):
    return read_step_checkpoint(path)['state_dict']['backbone.layers.1.0.weight']


def test_one_trial_for_a_run(tiny, tmp_path, choose, capsys):
    """If it fails, steps of a run, or a run and its resumption, or its base step and those who
    share it, differ in their layout; or nobody can tell which it was."""
    trials = choose(False)
    config, run = tiny('ft', **AUTO), tmp_path / 'run'
    ledger = train_protocol(config, run, steps=[0])
    assert trials == [('auto', config.crop_size)]
    assert ledger.steps[0]['channels_last'] is False
    remark = "model.channels_last='auto' is False: measured"
    assert remark in capsys.readouterr().out
    assert any(remark in log.read_text() for log in (run / 'step_0').rglob('*.log'))

    choose(True)
    ledger = train_protocol(config, run, resume=True)
    assert len(trials) == 1 and ledger.steps[1]['channels_last'] is False
    assert 'as before the interruption' in capsys.readouterr().out
    assert init_model(str(run / 'step_1/final.pth')).memory_format == torch.contiguous_format
    other = train_protocol(config, tmp_path / 'other')
    assert other.steps[0]['reused_from'] and len(trials) == 1, 'the base step brings its layout'
    for k in range(2):
        path = f'step_{k}/final.pth'
        assert torch.equal(weight(run / path), weight(tmp_path / 'other' / path))
    assert 'as the base step in' in capsys.readouterr().out


def test_the_same_bits_as_when_it_is_said(tiny, tmp_path, choose):
    """If it fails, a trial, or its choice, changes a number of the training."""
    networks = []
    for layout in (True, 'auto'):
        choose(True)
        config = tiny('mib', **{**AUTO, 'model.channels_last': layout})
        ledger = train_protocol(config, tmp_path / str(layout), reuse=False)
        assert ('channels_last' in ledger.steps[0]) == (layout == 'auto')
        networks.append(weight(tmp_path / str(layout) / 'step_1/final.pth'))
    assert torch.equal(*networks)


def test_a_real_trial(tiny, tmp_path):
    """If it fails, the trial does not fit the network, or moves a random state."""
    from incseg.engine.recipe.experiment import Experiment
    from incseg.engine.recipe.step import config_for_step

    config = config_for_step(Experiment(tiny('mib', **AUTO)), 0, 16, str(tmp_path))
    state = torch.get_rng_state()
    chosen, said = memory_layout.trial(config, 32)
    assert isinstance(chosen, bool) and 'ms in NCHW' in said
    assert torch.equal(state, torch.get_rng_state())


def test_the_arithmetic_of_the_training(tiny, tmp_path, gpu_settings, monkeypatch):
    """If it fails, the layouts are timed with other algorithms than the training will use."""
    from incseg.engine.recipe.experiment import Experiment
    from incseg.engine.recipe.step import config_for_step

    seen = []

    def timed(functions):
        seen.append(settings())
        return {True: 1.0, False: 1.0}

    monkeypatch.setattr(memory_layout, 'timed', timed)
    for tf32 in (False, True):
        gpu_settings(tf32=not tf32, benchmark=False)
        before = settings()
        config = tiny('ft', **AUTO, **{'schedule.tf32': tf32})
        memory_layout.trial(config_for_step(Experiment(config), 0, 16, str(tmp_path)), 32)
        assert settings() == before
    assert [each[:3] for each in seen] == [(False, False, True), (True, True, True)]


@pytest.mark.parametrize('usual', [True, False])
@pytest.mark.parametrize('other, gains', [(1.0, False), (0.96, False), (0.94, True)])
def test_a_close_race(usual, other, gains, tiny, tmp_path, monkeypatch):
    """If it fails, noise decides, and a run on the same machine is another one tomorrow."""
    from incseg.engine.recipe.experiment import Experiment
    from incseg.engine.recipe.step import config_for_step

    monkeypatch.setattr(memory_layout, 'suits_channels_last', lambda network: usual)
    monkeypatch.setattr(memory_layout, 'timed', lambda _: {usual: 1.0, not usual: other})
    config = config_for_step(Experiment(tiny('ft', **AUTO)), 0, 16, str(tmp_path))
    assert (memory_layout.trial(config, (32, 32))[0] != usual) == gains


def test_another_word(tiny):
    """If it fails, a typing error trains in a layout that nobody asked for."""
    from incseg.apis.config.check import check_config

    with pytest.raises(
        InvalidInputError, match="channels_last is 'Auto', expected None, True, False or"
    ):
        check_config(tiny('ft', **{**AUTO, 'model.channels_last': 'Auto'}))
