"""The meaning of the ids in label files, by arguments of the data set."""

import pytest

from incseg.datasets import CamVidDataset, SegDataset
from incseg.errors import InvalidInputError

META = dict(classes=('background', 'cat', 'dog'))


@pytest.fixture
def pets(tmp_path, write_image, write_label):
    def make(ids, **arguments):
        write_image(tmp_path / 'images/train/a.jpg', (1, len(ids)))
        write_label(tmp_path / 'labels/train/a.png', [ids])
        dataset = SegDataset(str(tmp_path), metainfo=META, **arguments)
        return dataset.label_reader(dataset.entries()[0]['seg_map_path']).tolist()[0]

    return make


@pytest.mark.parametrize(
    ('arguments', 'ids', 'expected'),
    [
        ({}, [0, 1, 2, 255], [0, 1, 2, 255]),
        ({'file_ids': {7: 'cat', 30: 2, 0: 0}}, [0, 7, 30, 255], [0, 1, 2, 255]),
        ({'file_ids': {'7': 'cat', '30': 'dog'}}, [7, 30], [1, 2]),  # as a stored config has it
        ({'file_ids': ['cat', 'dog']}, [0, 1, 255], [1, 2, 255]),
        ({'file_ids': {1: 'cat', 2: 'cat', 3: 'background'}}, [1, 2, 3], [1, 1, 0]),
        ({'void_ids': [2, 9]}, [0, 1, 2, 9, 255], [0, 1, 255, 255, 255]),
        ({'file_ids': ['cat', 'dog'], 'void_ids': [2]}, [0, 1, 2], [1, 2, 255]),
        ({'reduce_zero_label': True}, [0, 1, 2, 255], [255, 1, 2, 255]),
        ({'reduce_zero_label': True, 'void_ids': [3]}, [0, 1, 3], [255, 1, 255]),
        ({'file_ids': {5: 'dog', 6: 'cat'}, 'classes': ['dog']}, [5, 6], [1, 0]),
    ],
)
def test_meanings(pets, arguments, ids, expected):
    """If it fails, a pixel is learned as another class than its id means."""
    assert pets(ids, **arguments) == expected


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'file_ids': {7: 'cta'}}, "the class of id 7 in file_ids is 'cta', expected 0 to 2, or"),
        ({'file_ids': {7: 3}}, 'the class of id 7 in file_ids is 3'),
        ({'file_ids': {7: True}}, 'the class of id 7 in file_ids is True'),
        ({'file_ids': {300: 1}}, 'an id in file_ids is 300, expected a whole number from 0 to 255'),
        ({'file_ids': {'x': 1}}, "an id in file_ids is 'x'"),
        ({'file_ids': 'cat'}, "file_ids is 'cat', expected a dict"),
        ({'file_ids': {}}, r'file_ids is \{\}, expected a dict'),
        ({'void_ids': 5}, 'void_ids is 5, expected a list of ids'),
        ({'void_ids': [256]}, r'void_ids is \[256\]'),
        ({'reduce_zero_label': 1}, 'reduce_zero_label is 1, expected True or False'),
        ({'reduce_zero_label': True, 'file_ids': {1: 1}}, 'None, as reduce_zero_label=True says'),
    ],
)
def test_mistakes(pets, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        pets([0, 1], **arguments)


def test_a_foreign_id_names_the_arguments(pets):
    """If it fails, the message leaves the user to write a class."""
    with pytest.raises(InvalidInputError, match='outside .*: 9 .*file_ids, void_ids or reduce'):
        pets([0, 9])


def test_further_void_ids_of_a_data_set_with_ids_of_its_own(tmp_path, write_image, write_label):
    """CamVid's ids keep their meaning where an argument adds a void id."""
    write_image(tmp_path / 'images/train/a.jpg', (1, 4))
    write_label(tmp_path / 'labels/train/a.png', [[0, 1, 10, 11]])
    dataset = CamVidDataset(str(tmp_path), void_ids=[1])
    assert dataset.label_reader(tmp_path / 'labels/train/a.png').tolist() == [[1, 255, 11, 255]]
