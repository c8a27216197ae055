"""``--minutes`` shortens the training, by the time that iterations take here."""

import re

import pytest

from incseg.apis.teach import pace, teach
from incseg.errors import InvalidInputError
from tests.common.painted_shapes import write_shapes_folder
from tests.common.toy_model import toy_model


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """A model of three classes of Shapes."""
    return toy_model(tmp_path_factory.mktemp('model'))


@pytest.fixture
def call(model, tmp_path):
    """Teach ``star`` from 8 pictures; returns the result and the line of the plan."""
    write_shapes_folder(tmp_path / 'star', dict(star=1), number=8)

    def call(**options):
        lines = []
        given = dict(masks=tmp_path / 'star/masks', classes=['star'], out=tmp_path / 'out')
        given['tell'] = lines.append
        result = teach(model, tmp_path / 'star/images', **{**given, **options})
        return result, next(line for line in lines if line.startswith('plan'))

    return call


def test_the_time_of_an_iteration_is_measured(call, monkeypatch, capsys):
    """If it fails, a training takes far longer than the user allows, or its trial leaves traces."""
    measured = []
    real = pace.PaceHook.after_train_iter

    def slow(self, *args, **kwargs):
        try:
            return real(self, *args, **kwargs)
        finally:
            measured.append(self.seconds)

    monkeypatch.setattr(pace.PaceHook, 'after_train_iter', slow)
    monkeypatch.setattr(pace, 'MOST', 3)
    result, plan = call(minutes=0.05)  # 3 seconds
    assert len(measured) == pace.WARM + 3, 'not one iteration more than is needed'
    each, trained = measured[-1], int(re.search(r'(\d+) iterations', plan)[1])
    assert trained == min(int(3 / each), 200), 'an epoch is one iteration'
    assert re.search(r'CPU: about \d+ seconds?; ', plan), plan
    said = capsys.readouterr().out
    assert said.index('step 0 of 1') < said.index('Iter(train)'), (
        'the trial shows no lines of its own'
    )
    assert result.after['square'] is not None


def test_a_call_that_goes_on_keeps_its_iterations(call, monkeypatch):
    """If it fails, --resume is refused because the machine is busier than before."""
    monkeypatch.setattr(pace, 'seconds_per_iteration', lambda *args: 0.01)
    monkeypatch.setattr(pace, 'epochs_in', lambda *args: 2)
    first, _ = call(minutes=1)
    monkeypatch.setattr(pace, 'epochs_in', lambda *args: 5)
    again, plan = call(minutes=1, resume=True)
    assert '2 iterations (2 epochs' in plan and again.after == first.after


def test_epochs_that_fit():
    """If it fails, the training is longer than allowed, or longer than without the option."""
    assert pace.epochs_in(1, each=0.5, per_epoch=10, most=100) == 12
    assert pace.epochs_in(60, each=0.5, per_epoch=10, most=100) == 100
    with pytest.raises(InvalidInputError, match='--minutes is 0.05, expected at least 0.083: one'):
        pace.epochs_in(0.05, each=0.5, per_epoch=10, most=100)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(minutes=0), '--minutes is 0, expected a number above 0'),
        (dict(minutes=float('nan')), '--minutes is nan, expected a number above 0'),
        (dict(minutes='10'), "--minutes is '10', expected a number above 0"),
        (dict(minutes=10, epochs=3), '--minutes and --epochs are both given, expected one'),
    ],
)
def test_what_is_refused(call, options, message, tmp_path):
    """If it fails, a wrong number ends in a training of unknown length."""
    with pytest.raises(InvalidInputError, match=message):
        call(**options)
    assert not (tmp_path / 'out').exists()
