import pytest
import torch

from incseg.engine import Experiment, train_protocol
from incseg.engine.recipe.step import config_for_step
from incseg.engine.runner.step_runner import StepRunner


def test_quiet_start(tiny, tmp_path, capsys):
    """The terminal shows the training, not pages of config and hooks; the log has all."""
    train_protocol(tiny(**{'protocol.name': 'offline'}), tmp_path / 'run', reuse=False)
    shown = capsys.readouterr().out
    assert 'Iter(train)' in shown
    for page in ('System environment', 'Hooks will be executed', 'Config:'):
        assert page not in shown
    logs = [log.read_text() for log in (tmp_path / 'run/step_0').rglob('*.log')]
    assert any('System environment' in log and 'Config:' in log for log in logs)


@pytest.mark.parametrize('allowed', [True, False])
def test_tf32(tiny, tmp_path, monkeypatch, allowed):
    """If it fails, `schedule.tf32` changes nothing on a GPU."""
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    monkeypatch.setattr('mmengine.runner.Runner.setup_env', lambda self, env_cfg: None)
    config = config_for_step(Experiment(tiny(**{'schedule.tf32': allowed})), 0, 32, str(tmp_path))
    try:
        StepRunner.__new__(StepRunner).setup_env(config.env_cfg)
        assert [backend.allow_tf32 for backend in backends] == [allowed, allowed]
    finally:
        for backend, value in zip(backends, before):
            backend.allow_tf32 = value
