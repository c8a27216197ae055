import numpy as np
import pytest

from incseg.datasets import ScoreFile
from incseg.errors import InvalidInputError, MissingFileError


def test_round_trip(tmp_path):
    """8 bits: every score comes back within half of 1/255, ids and size exactly; compressed, and
    read without unpickling anything."""
    scores = np.random.default_rng(0).random((2, 5, 7)).astype(np.float32)
    ScoreFile.quantise([16, 3], scores).write(tmp_path / 'new' / 'a.npz')
    back = ScoreFile.read(tmp_path / 'new' / 'a.npz')
    assert back.ids.tolist() == [16, 3] and back.ids.dtype == np.int16
    assert back.size == (5, 7) and back.stride == 1 and back.score.dtype == np.uint8
    assert np.abs(back.full_size() - scores).max() <= 0.5 / 255 + 1e-6
    with np.load(tmp_path / 'new' / 'a.npz', allow_pickle=False) as content:
        assert set(content) == {'ids', 'score', 'stride', 'size'}


def test_stride_worked_by_hand():
    """Means over blocks of 2x2, the last column repeated; back at full size, 0 beside 1 gives
    1/4 and 3/4 between the centres."""
    scores = np.float32([[[0, 0, 1, 1, 1], [0, 0, 1, 1, 1]]])
    file = ScoreFile.quantise([4], scores, stride=2)
    assert file.score.tolist() == [[[0, 255, 255]]]
    full = file.full_size()
    assert full.shape == (1, 2, 5)
    np.testing.assert_allclose(full[0, 0], [0, 0.25, 0.75, 1, 1], atol=1e-6)


@pytest.mark.parametrize('stride', [1, 4])
def test_no_class(tmp_path, stride):
    """An image without any class keeps its size: k = 0 is a file like others."""
    ScoreFile.quantise([], np.zeros((0, 6, 9), np.float32), stride).write(tmp_path / 'a.npz')
    back = ScoreFile.read(tmp_path / 'a.npz')
    assert back.full_size().shape == (0, 6, 9) and back.ids.shape == (0,)


def test_pickles_are_not_opened(tmp_path):
    """A file from a stranger must not run code."""
    path = tmp_path / 'a.npz'
    np.savez(
        path,
        ids=np.array([{}], dtype=object),
        score=np.zeros((1, 2, 2), np.uint8),
        stride=1,
        size=[2, 2],
    )
    with pytest.raises(InvalidInputError, match=r"a\.npz' cannot be read \(.*allow_pickle=False"):
        ScoreFile.read(path)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(ids=np.int64([1])), r'has ids int64 \(1,\)'),
        (dict(score=np.zeros((2, 4, 4), np.uint8)), r'score uint8 \(2, 4, 4\)'),
        (dict(score=np.zeros((1, 4, 4), np.float32)), r'score float32'),
        (dict(stride=2), 'stride 2, size'),
        (dict(size=[4]), r'cannot be read \(not enough values'),
    ],
)
def test_other_content_is_refused(tmp_path, change, message):
    """Maps of another size or meaning would be read as scores of the wrong pixels."""
    content = dict(ids=np.int16([1]), score=np.zeros((1, 4, 4), np.uint8), stride=1, size=[4, 4])
    np.savez_compressed(tmp_path / 'a.npz', **{**content, **change})
    with pytest.raises(InvalidInputError, match=message):
        ScoreFile.read(tmp_path / 'a.npz')


def test_damaged_and_missing(tmp_path):
    """Named, in one line."""
    with pytest.raises(MissingFileError, match=r"score file '.*none\.npz' does not exist"):
        ScoreFile.read(tmp_path / 'none.npz')
    path = tmp_path / 'a.npz'
    ScoreFile.quantise([1], np.full((1, 9, 9), 0.5, np.float32)).write(path)
    content = path.read_bytes()
    for kept in (0, 10, len(content) // 2):
        path.write_bytes(content[:kept])
        with pytest.raises(InvalidInputError, match=r"a\.npz' cannot be read \(") as error:
            ScoreFile.read(path)
        assert '\n' not in str(error.value)
