import pickle

import numpy as np
import pytest

from incseg.datasets import LabelReader
from incseg.errors import InvalidInputError


def test_default_is_the_identity(tmp_path, write_label):
    """VOC's files hold dataset ids; any change here relabels every VOC experiment."""
    ids = np.array([[0, 1, 20], [7, 255, 3]], np.uint8)
    np.testing.assert_array_equal(LabelReader(20)(write_label(tmp_path / 'a.png', ids)), ids)


def test_shifted_ids(tmp_path, write_label):
    """CamVid's files start at class 0 and have no background: 0..2 → 1..3, 3 and 255 → void."""
    reader = LabelReader(3, {0: 1, 1: 2, 2: 3}, void_ids=(3, 255))
    path = write_label(tmp_path / 'a.png', [[0, 1, 2, 3, 255]])
    np.testing.assert_array_equal(reader(path), [[1, 2, 3, 255, 255]])


def test_lut_is_composed_after_the_reader(tmp_path):
    """A lut maps dataset ids, not file ids; the wrong order trains on shifted classes."""
    reader = LabelReader(2, {0: 1, 1: 2}, void_ids=(9,))
    lut = np.full(256, 255, np.uint8)
    lut[[0, 1, 2, 255]] = 0, 7, 5, 11
    raw = np.array([[0, 1, 9]], np.uint8)
    np.testing.assert_array_equal(reader.convert(raw, 'x', lut), lut[reader.convert(raw, 'x')])
    np.testing.assert_array_equal(reader.convert(raw, 'x', lut), [[7, 5, 11]])


@pytest.mark.parametrize('bad', [21, 100, 254])
def test_foreign_id_is_named(tmp_path, write_label, bad):
    """An id outside the data set is refused on the raw mask: file, id, count, what is allowed."""
    path = write_label(tmp_path / 'bad.png', [[0, bad, bad, 255]])
    with pytest.raises(InvalidInputError) as error:
        LabelReader(20)(path)
    assert str(error.value) == (
        f"label map '{path}' has an id outside the data set: {bad} (2 pixels), "
        'expected 0..20 and void 255; what other ids mean is said by file_ids, void_ids or '
        'reduce_zero_label of the data set, and by ids of a FolderDataset'
    )


def test_foreign_id_cannot_hide_behind_a_table(tmp_path):
    """File id 5 maps to void in the table; still refused, or typos in masks would vanish."""
    with pytest.raises(InvalidInputError, match=r'5 \(1 pixels\), expected 0\.\.1 and void 9'):
        LabelReader(2, {0: 1, 1: 2}, void_ids=(9,)).convert(np.array([[5]], np.uint8), 'x')


def test_pickled_reader_reads_the_same(tmp_path, write_label):
    """Scanning and loading happen in worker processes."""
    path = write_label(tmp_path / 'a.png', [[0, 1]])
    reader = LabelReader(2, {0: 1, 1: 2})
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reader))(path), reader(path))


def test_cache_key_tells_readers_apart():
    """With equal keys, a class index scanned with another meaning of ids would be reused."""
    readers = [
        LabelReader(3),
        LabelReader(4),
        LabelReader(3, {0: 1, 1: 2, 2: 3}),
        LabelReader(3, void_ids=(4, 255)),
        LabelReader(3, {0: 0, 1: 2, 2: 1, 3: 3}),
    ]
    assert len({reader.cache_key for reader in readers}) == len(readers)
    assert LabelReader(3).cache_key == LabelReader(3).cache_key


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((0,), 'num_classes is 0, expected'),
        ((255,), 'num_classes is 255, expected 1 to 254'),
        ((2, {256: 1}), 'id of a label file is 256, expected 0 to 255'),
        ((2, {0: 3}), 'dataset id of file id 0 is 3, expected 0 to 2, or 255'),
    ],
)
def test_impossible_readers_are_refused(arguments, message):
    """uint8 masks hold 254 classes; more would wrap around to wrong ids."""
    with pytest.raises(InvalidInputError, match=message):
        LabelReader(*arguments)


@pytest.mark.parametrize(
    ('file_ids', 'void_ids'),
    [
        (None, (255,)),
        (None, (9,)),
        ({0: 1, 1: 2, 2: 3}, (3, 255)),
        ({1: 1, 2: 2}, (0, 255)),
        ({5: 1, 7: 2}, (255,)),
        ({5: 1, 7: 2}, ()),
        ({i: 1 for i in range(255)}, (255,)),
    ],
)
def test_foreign_ids_of_every_kind_of_table(file_ids, void_ids):
    """The short ways by the largest id must agree with the table, whatever ids are allowed."""
    reader = LabelReader(3, file_ids, void_ids)
    allowed = {*(range(4) if file_ids is None else file_ids), *void_ids}
    for i in range(256):
        assert reader.has_foreign(np.array([[i]], np.uint8)) is (i not in allowed)
        for j in allowed:
            assert reader.has_foreign(np.array([[i, j]], np.uint8)) is (i not in allowed)


def test_renumbered(tmp_path, write_label):
    """CamVid's shifted files in a data set where its classes 1..3 are 9, 5 and 7."""
    reader = LabelReader(3, {0: 1, 1: 2, 2: 3}, void_ids=(3, 255)).renumbered(9, [0, 9, 5, 7])
    path = write_label(tmp_path / 'a.png', [[0, 1, 2, 3, 255]])
    np.testing.assert_array_equal(reader(path), [[9, 5, 7, 255, 255]])
    assert reader.num_classes == 9
    with pytest.raises(InvalidInputError, match=r'id outside the data set: 4 .*0\.\.2 and void 3'):
        reader(write_label(tmp_path / 'b.png', [[4]]))
    with pytest.raises(InvalidInputError, match='dataset id of file id 1 is 9'):
        LabelReader(3).renumbered(8, [0, 9, 5, 7])
