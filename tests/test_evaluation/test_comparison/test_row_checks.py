import pytest

from incseg.errors import InvalidInputError
from incseg.evaluation.comparison.rows import check_cell, check_method
from incseg.evaluation.comparison.runs import RunResult

STEPS = [(80.0, 60.0), (50.0, 40.0, 30.0)]


@pytest.fixture
def read(make_run):
    """Read a made-up run; settings and folder as in ``make_run``."""

    def make(method='mib', seed=0, **kwargs):
        return RunResult.read(make_run(method, seed, STEPS, **kwargs) / 'results.json')

    return make


def test_one_seed_twice(read):
    """The same seed again would shrink the spread; both files and a way out are named."""
    with pytest.raises(
        InvalidInputError,
        match=(
            r'a/results\.json and .*b/results\.json are both mib on toy 2-1 overlap with seed 0.*'
            r'NAME=.*b/results\.json'
        ),
    ):
        check_cell('mib', [read(folder='a'), read(folder='b')])


def test_two_methods(read):
    """A mean over FT and MiB is a number of nothing, on one protocol or on two."""
    check_method('mine', [read(), read(seed=1)])
    with pytest.raises(
        InvalidInputError,
        match=(r"the row 'mine' has two methods: .*results\.json is of ft, .*results\.json of mib"),
    ):
        check_method('mine', [read('ft'), read(name='1-1')])


def test_two_settings(read):
    """If it fails, runs of 10 and of 30 epochs are averaged as two seeds under a user's name."""
    short, long = (read(seed=seed, settings={'epochs': 10 + 20 * seed}) for seed in (0, 1))
    with pytest.raises(
        InvalidInputError,
        match=(
            r"'mine' has two settings on toy 2-1 overlap: epochs is 10 in .*_0/results\.json"
            r' and 30 in .*_1/results\.json'
        ),
    ):
        check_cell('mine', [short, long])
    check_cell('mine', [short, read(seed=2, settings={'epochs': 10})])
    check_cell('mine', [short, read(seed=3)])  # what is unknown is not refused
