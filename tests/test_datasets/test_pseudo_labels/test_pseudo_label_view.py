import numpy as np
import pytest

from incseg.datasets import PseudoLabelFiles, PseudoLabelView, ScoreFile
from incseg.errors import InvalidInputError, MissingFileError

SCORES = np.float32([[[0.2, 0.6, 0.1, 0.6]], [[0.3, 0.4, 0.1, 0.8]]])


@pytest.fixture
def files(tmp_path):
    """Two classes, 7 and 16; the PNG is another map, so that it is seen which one was read."""
    files = PseudoLabelFiles(tmp_path)
    files.write('a', np.uint8([[16, 0, 255, 7]]), ScoreFile.quantise([7, 16], SCORES))
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
    with_background = np.concatenate([np.float32([[[0.5, 0.5, 0.5, 0.9]]]), SCORES])
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
    files.write('a', np.uint8([[0, 9, 255, 9]]), ScoreFile.quantise([7, 9], SCORES))
    message = r"a\.{}' have the ids 9; allowed are 0, 255 and the ids that meta.json names: 7, 16"
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
        with pytest.raises(InvalidInputError, match='uncertain of pseudo-labels is .* of 0 to 1'):
            PseudoLabelView(files.folder, uncertain=value)
    assert PseudoLabelView(files.folder, np.float32(0.5)).threshold == 0.5
    files.score_path('a').unlink()
    with pytest.raises(MissingFileError, match=r"a\.npz' does not exist"):
        PseudoLabelView(files.folder, 0.3).label_map('a')
    with pytest.raises(MissingFileError, match=r"label file '.*b\.png' does not exist"):
        PseudoLabelView(files.folder).label_map('b')
