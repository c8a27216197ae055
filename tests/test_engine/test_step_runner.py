from incseg.engine import train_protocol


def test_quiet_start(tiny, tmp_path, capsys):
    """The terminal shows the training, not pages of environment, config and hooks; the log has all.
    """
    train_protocol(tiny(**{'protocol.name': 'offline'}), tmp_path / 'run', reuse=False)
    shown = capsys.readouterr().out
    assert 'Iter(train)' in shown
    for page in ('System environment', 'Hooks will be executed', 'Config:'):
        assert page not in shown
    logs = [log.read_text() for log in (tmp_path / 'run/step_0').rglob('*.log')]
    assert any('System environment' in log and 'Config:' in log for log in logs)
