import cv2
import numpy as np
import pytest

from incseg.datasets import PseudoLabelFiles, ScoreFile, ShapesDataset
from incseg.engine.figures.pseudo_labels import draw_pseudo_labels
from incseg.errors import InvalidInputError


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
