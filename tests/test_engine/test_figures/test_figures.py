"""Figures: columns of predictions or pseudo-labels, names, legends."""

import cv2
import numpy as np
import pytest

from incseg.datasets import PseudoLabelFiles, ScoreFile, ShapesDataset
from incseg.engine import train_protocol
from incseg.engine.figures.layout import LINE, text_width, with_legend, with_row_names
from incseg.engine.figures.predictions import draw_comparison, grid
from incseg.engine.figures.pseudo_labels import draw_pseudo_labels
from incseg.errors import InvalidInputError


def test_grid():
    """Columns in order under their titles, pictures doubled, white between."""
    black, grey = np.zeros((4, 5, 3), np.uint8), np.full((4, 5, 3), 90, np.uint8)
    canvas = grid({'a': [black, grey], 'b': [grey, black]})
    assert canvas.shape == (22 + 2 * 14, 10 + 6 + 10, 3)
    assert (canvas[22:30, :10] == 0).all() and (canvas[22:30, 16:] == 90).all()
    assert (canvas[36:44, :10] == 90).all() and (canvas[30:36] == 255).all()


def test_runs_of_several_methods(tiny, tmp_path):
    """A network with one classifier (joint) and one with three stand in one picture."""
    train_protocol(tiny('joint'), tmp_path / 'joint', reuse=False)
    train_protocol(tiny('mib'), tmp_path / 'mib', [0], reuse=False)
    runs = {
        'joint': str(tmp_path / 'joint/step_0/final.pth'),
        'MiB, step 0': str(tmp_path / 'mib/step_0/final.pth'),
    }
    draw_comparison(tiny('mib'), runs, [0, 3], tmp_path / 'out' / 'x.png')
    assert cv2.imread(str(tmp_path / 'out' / 'x.png')).shape == (22 + 2 * 70, 4 * 64 + 3 * 6, 3)
    with pytest.raises(InvalidInputError, match='--images 9 is out of range: there are 6'):
        draw_comparison(tiny('mib'), runs, [9], tmp_path / 'y.png')


PICTURE = np.full((40, 60, 3), 90, np.uint8)


def test_row_names():
    """Each beside its own row, the picture as it was; the longest name has its place."""
    names = ['a', '2007_000032']
    made = with_row_names(PICTURE, names, top=0, distance=20)
    assert (made[:, :60] == 90).all() and made.shape == (40, 72 + text_width(names[1]), 3)
    inked = (made[:, 60:] < 128).any(2)
    assert inked[:20].sum() < inked[20:].sum() and inked[:20].any()
    assert (made[:, -3:] == 255).all(), 'no name is cut off'


def test_legend():
    """Classes in their own colours, RGB as in a palette, wrapped into lines and never cut."""
    classes = {'cross': (190, 60, 200), 'a much longer name': (230, 50, 50)}
    made = with_legend(PICTURE, classes)
    assert made.shape[0] == 40 + 2 * LINE and made.shape[1] >= 14 + text_width('a much longer name')
    assert (made[:40, :60] == 90).all()
    for line, colour in enumerate(classes.values()):
        box = made[40 + line * LINE + 4 : 40 + line * LINE + 18, :14]
        assert (box == colour[::-1]).all()
    wide = with_legend(np.zeros((4, 600, 3), np.uint8), classes)
    assert wide.shape == (4 + LINE, 600, 3), 'one line where there is room'


@pytest.fixture
def dataset():
    return ShapesDataset(length=3, size=32)


@pytest.fixture
def files(dataset, tmp_path):
    """Labels of class 6 in the left half, its score 0.5 there; nothing in the last image."""
    files = PseudoLabelFiles(tmp_path / '4-1' / '2')
    files.write_meta(dict(ids=[6], classes=['star'], bg=dict(mode='const', value=0.3)))
    label, score = np.zeros((32, 32), np.uint8), np.zeros((1, 32, 32), np.float32)
    label[:, :16], score[0, :, :16] = 6, 0.5
    for image_id in dataset.image_ids[:2]:
        files.write(image_id, label, ScoreFile.quantise([6], score))
    files.write(dataset.image_ids[2], np.zeros_like(label), ScoreFile.quantise([], score[:0]))
    return files


def test_columns(dataset, files, tmp_path):
    """Image, truth, score and label, a row an image; only the classes of the labels are painted."""
    draw_pseudo_labels(dataset, files.folder, dataset.image_ids, tmp_path / 'out' / 'x.png')
    picture = cv2.imread(str(tmp_path / 'out' / 'x.png')).astype(int)
    assert picture.shape[0] == 22 + 3 * 70 + 22 and picture.shape[1] > 4 * 64 + 3 * 6
    for row in range(3):  # an id beside each row, the legend below
        assert (picture[22 + 70 * row : 44 + 70 * row, 274:] < 128).any()
    star = dataset.metainfo['palette'][6][::-1]
    assert (picture[232:] == star).all(2).sum() == 14 * 14
    score = picture[22:86, 140:204]
    assert (score[:, :32] == 128).all() and (score[:, 32:] == 0).all()
    image, label = picture[22:86, :64], picture[22:86, 210:274]
    expected = 0.7 * np.array(dataset.metainfo['palette'][6])[::-1] + 0.3 * image[:, :32]
    assert np.abs(label[:, :32] - expected).max() <= 1
    assert np.abs(label[:, 32:] - 0.3 * image[:, 32:]).max() <= 1  # background is black
    assert (picture[162:226, 140:204] == 0).all()  # an image without a class has no score


def test_without_scores(dataset, files, tmp_path):
    """Labels of others need no scores to be looked at."""
    files.score_path(dataset.image_ids[0]).unlink()
    draw_pseudo_labels(dataset, files.folder, dataset.image_ids[:1], tmp_path / 'x.png')
    picture = cv2.imread(str(tmp_path / 'x.png'))
    assert picture.shape[0] == 22 + 70 + 22 and (picture[22:92, 3 * 64 + 2 * 6 :] < 128).any()


def test_unknown_image(dataset, files, tmp_path):
    """Said with ids that are there."""
    with pytest.raises(InvalidInputError, match="image 'cat' is not in the data set, whose 3 ids"):
        draw_pseudo_labels(dataset, files.folder, ['cat'], tmp_path / 'x.png')
