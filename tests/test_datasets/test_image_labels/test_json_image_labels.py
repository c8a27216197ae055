import json

import pytest

from incseg.datasets import JSONImageLabels
from incseg.errors import InvalidInputError, MissingFileError


@pytest.fixture
def source(voc, tmp_path):
    """``source(content)``: content as JSON, or as it is if it is text."""

    def make(content):
        path = tmp_path / 'labels.json'
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return JSONImageLabels(voc, str(path))

    return make


def test_names_by_id(source, shown):
    """Ids are keys: the order in the file does not matter."""
    labels = source({'b': ['sofa', 'aeroplane'], 'a': [], 'dir/c': ['person']})
    assert shown(labels.labels(['dir/c', 'a', 'b'])) == [[0, 15], [0], [0, 1, 18]]


def test_missing_images_are_counted(source):
    """One clear line, with the first image and how many there are like it."""
    with pytest.raises(MissingFileError, match=r"labels\.json' lack image 'y' \(2 of 3 are missin"):
        source({'x': []}).labels(['x', 'y', 'z'])


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"a": [', r"labels\.json' cannot be read \(.*allowed is {image id: \[class names\]}"),
        (['a'], r"labels\.json' hold a list; allowed is {image id"),
        ({'a': 'person'}, r"labels\.json' have 'person' for image 'a'; allowed"),
        ({'a': [15]}, r"labels\.json' have \[15\] for image 'a'; allowed"),
    ],
)
def test_bad_files(source, content, message):
    """A user's file of another form is refused with its name, the value and the form."""
    with pytest.raises(InvalidInputError, match=message):
        source(content)


def test_unknown_class_and_missing_file(source, voc):
    """Which image names it, in which file."""
    with pytest.raises(InvalidInputError, match=r"image 'a' in .*labels\.json' names the class 'P"):
        source({'a': ['Person']}).labels(['a'])
    with pytest.raises(MissingFileError, match=r"image labels 'none\.json' do not exist"):
        JSONImageLabels(voc, 'none.json')
    with pytest.raises(InvalidInputError, match='path of JSONImageLabels is 3, expected'):
        JSONImageLabels(voc, 3)
