from incseg.engine import train_protocol


def test_quiet_start(tiny, tmp_path, capsys):
    """The terminal shows the training, not pages of environment, config and hooks; the log has all.
    """
    train_protocol(tiny(**{'protocol.name': 'offline'}), tmp_path / 'run', reuse=False)
    shown = capsys.readouterr().out
    assert 'Iter(train)' in shown
    for page in ('System environment', 'Hooks will be executed', 'Config:'):
        assert page not in shown
    log = next((tmp_path / 'run/step_0').rglob('*.log')).read_text()
    assert 'System environment' in log and 'Config:' in log
