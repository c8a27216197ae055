import pytest
import torch

from incseg.datasets import BackgroundRule
from incseg.errors import InvalidInputError

SCORES = torch.tensor([[[0.1, 0.5, 0.9, 0.3]], [[0.2, 0.4, 0.9, 0.3]]])


def test_const_worked_by_hand():
    """A class has to be above the threshold; at the threshold, and where all are below, it is
    background; of two equal classes the first."""
    rule = BackgroundRule('const', 0.3)
    assert rule.label_map([7, 16], SCORES).tolist() == [[0, 7, 7, 0]]
    assert rule.label_map([7, 16], SCORES).dtype == torch.uint8


def test_pow_worked_by_hand():
    """(1 - max)^2: .64, .25, .01, .49 against maxima .2, .5, .9, .3."""
    rule = BackgroundRule('pow', 2)
    torch.testing.assert_close(rule.background(SCORES), torch.tensor([[[0.64, 0.25, 0.01, 0.49]]]))
    assert rule.label_map([7, 16], SCORES).tolist() == [[0, 7, 7, 0]]


def test_low_exponent_is_a_strong_background():
    """The background of exponent 4 is at least that of 24 everywhere: labels made with 4 are
    sure of their classes, those made with 24 of their background.  Swapped, AffinityNet would
    learn from what is unsure."""
    scores = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0))
    low, high = BackgroundRule('pow', 4), BackgroundRule('pow', 24)
    assert (low.background(scores) >= high.background(scores)).all()
    kept, more = (rule.label_map([1, 2, 3], scores) for rule in (low, high))
    assert ((kept == more) | (kept == 0)).all() and (kept != more).any()


def test_score_takes_the_map_of_the_background():
    """After a refinement the background has a map of its own."""
    maps = torch.cat([torch.tensor([[[0.15, 0.6, 0.1, 0.3]]]), SCORES])
    assert BackgroundRule('score').label_map([0, 7, 16], maps).tolist() == [[16, 0, 7, 0]]


def test_uncertain_band():
    """Closer to the background than the band: 255, on both sides."""
    label = BackgroundRule('const', 0.3).label_map([7, 16], SCORES, uncertain=0.15)
    assert label.tolist() == [[255, 7, 7, 255]]


def test_no_class():
    """An image without a class is all background, whatever the rule."""
    nothing = torch.zeros(0, 2, 3)
    for rule in (BackgroundRule('const', 0.3), BackgroundRule('pow', 4)):
        assert rule.label_map([], nothing, 0.2).tolist() == [[0] * 3] * 2
    assert (BackgroundRule('pow', 4).background(nothing) == 1).all()
    assert BackgroundRule('score').label_map([], nothing).tolist() == [[0] * 3] * 2
    assert BackgroundRule('score').label_map([0], torch.ones(1, 2, 3)).tolist() == [[0] * 3] * 2


@pytest.mark.parametrize(
    ('mode', 'value', 'message'),
    [
        ('power', 4, "background.mode is 'power', expected 'const' or 'pow' or 'score'"),
        (['pow'], 4, r"background.mode is \['pow'\], expected"),
        ('const', 1.5, "background.value is 1.5, expected a score of 0 to 1 with mode 'const'"),
        ('const', None, 'background.value is None, expected a score'),
        ('pow', 0, "background.value is 0, expected an exponent above 0 with mode 'pow'"),
        ('pow', True, 'background.value is True, expected an exponent'),
        ('score', 0.3, "background.value is 0.3, expected None with mode 'score'"),
    ],
)
def test_bad_arguments(mode, value, message):
    """The key, the value and what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        BackgroundRule(mode, value)


def test_meta_round_trip():
    """What is written is read as the same rule."""
    for rule in (BackgroundRule('pow', 4.0), BackgroundRule('score')):
        assert vars(BackgroundRule.of(rule.as_meta(), 'bg')) == vars(rule)
    for settings in (None, dict(value=4), dict(mode='pow', value=4, power=4)):
        with pytest.raises(InvalidInputError, match='^bg is .*; allowed is {mode, value}$'):
            BackgroundRule.of(settings, 'bg')
    with pytest.raises(InvalidInputError, match='^bg in m.json: background.value is 3, expected'):
        BackgroundRule.of(dict(mode='const', value=3), 'bg in m.json')


@pytest.mark.parametrize('uncertain', [-3, 2, 'a'])
def test_bad_uncertain(uncertain):
    """A negative band would be none without a word, one of 2 would take every pixel."""
    with pytest.raises(InvalidInputError, match='inference.uncertain is .*, expected a number of'):
        BackgroundRule('const', 0.3).label_map([7, 16], SCORES, uncertain)
