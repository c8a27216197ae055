"""Labels from scores: the background's rule, the uncertain band, and the classes that may occur."""

import numpy as np
import pytest
import torch

from incseg.datasets import BackgroundRule, PseudoLabelFiles, PseudoLabelView, ScoreFile
from incseg.errors import InvalidInputError, MissingFileError

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
        ('power', 4, "background.mode is 'power', expected 'const'"),
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
        with pytest.raises(InvalidInputError, match='^bg is .*, expected dict.mode=…, value=….$'):
            BackgroundRule.of(settings, 'bg')
    with pytest.raises(InvalidInputError, match='^bg in m.json: background.value is 3, expected'):
        BackgroundRule.of(dict(mode='const', value=3), 'bg in m.json')


@pytest.mark.parametrize('uncertain', [-3, 2, 'a'])
def test_bad_uncertain(uncertain):
    """A negative band would be none without a word, one of 2 would take every pixel."""
    with pytest.raises(
        InvalidInputError, match='inference.uncertain is .*, expected a number from 0 to 1'
    ):
        BackgroundRule('const', 0.3).label_map([7, 16], SCORES, uncertain)


TWO_CLASSES = np.float32([[[0.2, 0.6, 0.1, 0.6]], [[0.3, 0.4, 0.1, 0.8]]])


@pytest.fixture
def files(tmp_path):
    """Two classes, 7 and 16; the PNG is another map, so that it is seen which one was read."""
    files = PseudoLabelFiles(tmp_path)
    files.write('a', np.uint8([[16, 0, 255, 7]]), ScoreFile.quantise([7, 16], TWO_CLASSES))
    files.write_meta(dict(ids=[7, 16], bg=dict(mode='const', value=0.25)))
    return files


def test_png_as_it_is(files):
    """Without options nothing is computed."""
    assert PseudoLabelView(files.folder).label_map('a').tolist() == [[16, 0, 255, 7]]
    assert PseudoLabelView(files.folder).has('a') and not PseudoLabelView(files.folder).has('b')


def test_from_the_scores(files):
    """Worked by hand: another threshold, a band around it, and gating with the file's rule."""
    folder = files.folder
    assert PseudoLabelView(folder, 0.5).label_map('a').tolist() == [[0, 7, 0, 16]]
    assert PseudoLabelView(folder, 0.5, 0.15).label_map('a').tolist() == [[0, 255, 0, 16]]
    assert PseudoLabelView(folder, uncertain=0.1).label_map('a').tolist() == [[255, 7, 0, 16]]
    visible = np.zeros(21, np.bool_)
    visible[[0, 7]] = True
    assert PseudoLabelView(folder).label_map('a', visible).tolist() == [[0, 7, 0, 7]]
    visible[7] = False
    assert PseudoLabelView(folder).label_map('a', visible).tolist() == [[0] * 4]


def test_refined_scores_bring_their_background(files):
    """With a map of id 0, it is the background; with a threshold, it is not."""
    with_background = np.concatenate([np.float32([[[0.5, 0.5, 0.5, 0.9]]]), TWO_CLASSES])
    files.write('a', np.zeros((1, 4), np.uint8), ScoreFile.quantise([0, 7, 16], with_background))
    files.write_meta(dict(ids=[7, 16], bg=dict(mode='score', value=None)))
    view = PseudoLabelView(files.folder, uncertain=0.0)
    assert view.label_map('a').tolist() == [[0, 7, 0, 0]]
    visible = np.zeros(21, np.bool_)
    visible[16] = True
    assert view.label_map('a', visible).tolist() == [[0, 0, 0, 0]]
    assert PseudoLabelView(files.folder, 0.25).label_map('a').tolist() == [[16, 7, 0, 16]]


def test_foreign_ids(files):
    """What ``meta.json`` does not name is in no label map and in no scores, although the data set
    has it; 0 and 255 are named by nobody."""
    files.write('a', np.uint8([[0, 9, 255, 9]]), ScoreFile.quantise([7, 9], TWO_CLASSES))
    message = r"a\.{}' is \[9\], expected 0, 255 or ids of meta.json: 7, 16"
    with pytest.raises(InvalidInputError, match=message.format('png')):
        PseudoLabelView(files.folder).label_map('a')
    with pytest.raises(InvalidInputError, match=message.format('npz')):
        PseudoLabelView(files.folder, 0.5).label_map('a')


def test_labels_of_another_tool(files):
    """PNGs and the least ``meta.json`` are enough; without it, nobody knows what they are of."""
    files.write_meta(dict(ids=[16], classes=['pottedplant'], bg=dict(mode='const', value=0.26)))
    files.score_path('a').unlink()
    files.write('a', np.uint8([[16, 0, 255, 0]]))
    assert PseudoLabelView(files.folder).label_map('a').tolist() == [[16, 0, 255, 0]]
    files.meta_path.unlink()
    with pytest.raises(MissingFileError, match=r'it has no meta\.json; expected is'):
        PseudoLabelView(files.folder).label_map('a')


def test_threshold_of_refined_scores(files):
    """It takes the place of the background's own map, which is then not looked at: classes of no
    small score leave no background, whatever the map says."""
    files.write_meta(dict(ids=[16], bg=dict(mode='score', value=None)))
    scores = np.float32([[[0.8, 0.4, 0.3, 0.9]], [[0.2, 0.6, 0.7, 0.1]]])
    files.write('a', np.uint8([[0, 16, 16, 0]]), ScoreFile.quantise([0, 16], scores))
    found = [
        PseudoLabelView(files.folder, threshold, uncertain).label_map('a').tolist()
        for threshold, uncertain in ((None, 0.05), (0.65, None), (0.05, None))
    ]
    assert found == [[[0, 16, 16, 0]], [[0, 0, 16, 0]], [[16] * 4]]


def test_errors(files):
    """A value out of range, and scores that are not there."""
    with pytest.raises(InvalidInputError, match='of pseudo-labels is 26, expected a number'):
        PseudoLabelView(files.folder, 26)
    for value in ('0.3', True, float('nan'), [0.3]):
        with pytest.raises(InvalidInputError, match='uncertain of pseudo-labels is .* from 0 to 1'):
            PseudoLabelView(files.folder, uncertain=value)
    assert PseudoLabelView(files.folder, np.float32(0.5)).threshold == 0.5
    files.score_path('a').unlink()
    with pytest.raises(MissingFileError, match=r"a\.npz' does not exist"):
        PseudoLabelView(files.folder, 0.3).label_map('a')
    with pytest.raises(MissingFileError, match=r"label file '.*b\.png' does not exist"):
        PseudoLabelView(files.folder).label_map('b')
