"""Which runs share a row, what its title says, and where it stands."""

import shutil
from pathlib import Path

import pytest

from incseg.errors import InvalidInputError
from incseg.evaluation.comparison.rows import (
    LAST,
    METHOD_ORDER,
    check_cell,
    check_method,
    other_settings,
    row_rank,
    row_titles,
    shortened,
)
from incseg.evaluation.comparison.runs import RunResult

STEPS = [(80.0, 60.0), (50.0, 40.0, 30.0)]


@pytest.fixture
def read(make_run):
    """Read a made-up run; settings and folder as in ``make_run``."""

    def make(method='mib', seed=0, row=None, **kwargs):
        return RunResult.read(make_run(method, seed, STEPS, **kwargs) / 'results.json', row)

    return make


def weight(value, **other):
    return dict(other, method=dict(distillation=dict(logits=dict(loss_weight=value))))


def test_seeds_share_a_row(read):
    """Same settings, several seeds: one row; workers and seed are no settings."""
    runs = [read(seed=seed, settings=weight(10.0)) for seed in (0, 1)]
    assert row_titles(runs) == ['mib', 'mib']


def test_settings_that_differ_make_rows(read):
    """Two weights must not be averaged as if they were two seeds; the title says which is which."""
    runs = [
        read(seed=0, settings=weight(10.0), folder='a'),
        read(seed=0, settings=weight(50.0), folder='b'),
        read('ft', settings={}),
    ]
    assert row_titles(runs) == ['mib (loss_weight=10.0)', 'mib (loss_weight=50.0)', 'ft']


def test_one_protocol_decides_for_all(read):
    """A variant has the same title in every protocol, so that its numbers stand in one row."""
    runs = [
        read(settings=weight(10.0, epochs=2), folder='a'),
        read(settings=weight(50.0, epochs=2), folder='b'),
        read(settings=weight(10.0, epochs=9), name='1-1'),
    ]
    assert row_titles(runs) == [
        'mib (loss_weight=10.0)',
        'mib (loss_weight=50.0)',
        'mib (loss_weight=10.0)',
    ]


def test_protocols_may_have_their_own_settings(read):
    """MiB weighs its distillation 10 in 15-5 and 100 in 15-1: still one row."""
    runs = [read(settings=weight(10.0)), read(settings=weight(100.0), name='1-1')]
    assert row_titles(runs) == ['mib', 'mib']


def test_many_differences_are_named_by_the_config(read):
    """A title is not a page: where configs tell rows apart, their names do."""
    runs = [
        read(
            settings={key: value for key in 'abcd'}, folder=value, config=f'configs/mib/{value}.py'
        )
        for value in ('r18', 'r101')
    ]
    assert row_titles(runs) == ['mib (r18)', 'mib (r101)']


def test_without_settings_the_config_path_counts(read):
    """Bare ledgers: what they say of their config is all that is known."""
    runs = [
        read(config='configs/mib/x.py', folder='a'),
        read(config='configs/mib/y.py', folder='b', settings=weight(1.0)),
    ]
    assert row_titles(runs) == ['mib (x)', 'mib (y)']
    runs = [read(config='a/x.py', folder='a'), read(config='b/x.py', folder='b')]
    assert row_titles(runs) == ['mib (a/x.py)', 'mib (b/x.py)']


def test_kept_ledgers_are_told_apart_by_their_names(make_run, tmp_path):
    """If it fails, a folder of kept ledgers with two variants of a method has no table.

    Protocol and seed are no part of the name: a variant's seeds and protocols share its row.
    A variant alone has its name, too: else it stands in the method's row of other protocols.
    """

    def keep(name, seed=0, protocol='2-1'):
        path = tmp_path / f'{name}.json'
        shutil.copy(make_run('mib', seed, STEPS, name=protocol) / 'results.json', path)
        return RunResult.read(path)

    runs = [
        keep('mib_2-1_seed0'),
        keep('mib_2-1_seed1', 1),
        keep('mib_1-1', protocol='1-1'),
        keep('mib_memory_2-1'),
        keep('mib_memory_1-1', protocol='1-1'),
    ]
    assert row_titles(runs) == ['mib'] * 3 + ['mib (mib_memory)'] * 2
    assert row_titles(runs[:3]) == ['mib'] * 3
    assert row_titles([runs[2], runs[3]]) == ['mib', 'mib (mib_memory)']
    assert row_titles(runs[3:]) == ['mib (mib_memory)'] * 2


def test_names_win(read):
    """A named row is what the user says it is, and the others are as without it."""
    runs = [read(row='mine', settings=weight(1.0), folder='a'), read(settings=weight(2.0))]
    assert row_titles(runs) == ['mine', 'mib']


def test_a_named_ledger_with_two_configs(make_run, tmp_path):
    """If it fails, two configs under one kept name are averaged over their seeds."""
    runs = []
    for seed, config in enumerate(('r18', 'r101')):
        path = tmp_path / f'mib_memory_2-1_seed{seed}.json'
        shutil.copy(
            make_run('mib', seed, STEPS, config=f'configs/mib/{config}.py') / 'results.json', path
        )
        runs.append(RunResult.read(path))
    assert row_titles(runs) == ['mib (mib_memory) (r18)', 'mib (mib_memory) (r101)']


def test_order():
    """From fine-tuning over the known methods to joint training, strangers before joint.

    The S rows stand beside the dense ones; joint_s, like joint, is what others are measured by.
    """
    methods = [
        'joint_s',
        'joint',
        'zeta',
        'wilson',
        'mib_s',
        'mib',
        'alpha',
        'ilt',
        'LWF-MC',
        'lwf',
        'replay',
        'plop',
        'ft_s',
        'ft',
    ]
    assert sorted(methods, key=lambda method: row_rank(method, method)) == [
        'ft',
        'ft_s',
        'lwf',
        'LWF-MC',
        'ilt',
        'mib',
        'mib_s',
        'plop',
        'replay',
        'wilson',
        'alpha',
        'zeta',
        'joint',
        'joint_s',
    ]
    assert row_rank('mib', 'mib') < row_rank('mib', 'a variant') < row_rank('plop', 'plop')


def test_the_order_lists_what_there_is():
    """If it fails, the order names a method that has no config; one that it lacks goes by name."""
    folders = {path.name for path in (Path(__file__).parents[3] / 'configs').iterdir()}
    assert {*METHOD_ORDER, *LAST} <= folders


ONE_STEP = [(80.0, 60.0), (50.0, 40.0, 30.0)]


@pytest.fixture
def read_run(make_run):
    """Read a made-up run; settings and folder as in ``make_run``."""

    def make(method='mib', seed=0, **kwargs):
        return RunResult.read(make_run(method, seed, ONE_STEP, **kwargs) / 'results.json')

    return make


def test_one_seed_twice(read_run):
    """The same seed again would shrink the spread; both files and a way out are named."""
    with pytest.raises(
        InvalidInputError,
        match=(
            r'a/results\.json and .*b/results\.json are both mib on toy 2-1 overlap with seed 0.*'
            r'NAME=.*b/results\.json'
        ),
    ):
        check_cell('mib', [read_run(folder='a'), read_run(folder='b')])


def test_two_methods(read_run):
    """A mean over FT and MiB is a number of nothing, on one protocol or on two."""
    check_method('mine', [read_run(), read_run(seed=1)])
    with pytest.raises(
        InvalidInputError,
        match=(r"the row 'mine' has two methods: .*results\.json is of ft, .*results\.json of mib"),
    ):
        check_method('mine', [read_run('ft'), read_run(name='1-1')])


def test_two_settings(read_run):
    """If it fails, runs of 10 and of 30 epochs are averaged as two seeds under a user's name."""
    short, long = (read_run(seed=seed, settings={'epochs': 10 + 20 * seed}) for seed in (0, 1))
    with pytest.raises(
        InvalidInputError,
        match=(
            r"'mine' has two settings on toy 2-1 overlap: epochs is 10 in .*_0/results\.json"
            r' and 30 in .*_1/results\.json'
        ),
    ):
        check_cell('mine', [short, long])
    check_cell('mine', [short, read_run(seed=2, settings={'epochs': 10})])
    check_cell('mine', [short, read_run(seed=3)])  # what is unknown is not refused


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


@pytest.mark.parametrize(('length', 'text'), [(40, 'x' * 40), (41, 'x' * 37 + '…')])
def test_long_values_are_shortened(length, text):
    """If it fails, one long setting makes the note unreadable."""
    assert shortened('x' * length) == text


def test_future_classes_as_background(read):
    """If it fails, scores of two rules for test labels stand in one table without a word."""
    run = read()
    run.content['protocol']['future'] = 'background'
    assert row_titles([run]) == ['mib, future as background']
