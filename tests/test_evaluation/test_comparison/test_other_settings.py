from incseg.evaluation.comparison.rows import other_settings
from incseg.evaluation.comparison.runs import RunResult


def test_longer_training_is_told(make_run):
    """Joint trained for 16 epochs beside 10 + 3 is no equal comparison: the table says so.

    The method's own settings are what is compared; they are not told.
    """
    rows = {}
    for method, epochs in (('ft', [10, 3]), ('mib', [10, 3]), ('joint', 16)):
        folder = make_run(
            method,
            0,
            [(80.0, 60.0, 50.0)],
            settings=dict(epochs=epochs, size=1, method=dict(name=method)),
        )
        rows[method] = [RunResult.read(folder / 'results.json')]
    assert other_settings(rows) == ['epochs differs: [10, 3] (ft, mib); 16 (joint)']
    assert other_settings({'ft': rows['ft'], 'mib': rows['mib']}) == []


def test_unknown_settings_say_nothing(make_run):
    """Bare ledgers cannot be judged."""
    rows = {
        method: [RunResult.read(make_run(method, 0, [(80.0, 60.0, 50.0)]) / 'results.json')]
        for method in ('ft', 'mib')
    }
    assert other_settings(rows) == []


def test_many_differences_are_cut(make_run):
    """Another backbone changes dozens of keys; six are spelled out, the others named."""
    rows = {
        method: [
            RunResult.read(
                make_run(
                    method, 0, [(80.0, 60.0, 50.0)], settings={key: method for key in 'abcdefgh'}
                )
                / 'results.json'
            )
        ]
        for method in ('ft', 'mib')
    }
    lines = other_settings(rows)
    assert lines[0] == 'a differs: ft (ft); mib (mib)'
    assert len(lines) == 7 and lines[-1] == '2 more settings differ: g, h'
