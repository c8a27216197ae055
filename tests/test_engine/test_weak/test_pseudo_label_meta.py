import pytest

from incseg.datasets import PseudoLabelFiles, ShapesDataset
from incseg.engine.weak.evaluate_pseudo_labels import check_classes, count_made, new_ids
from incseg.errors import InvalidInputError


@pytest.fixture
def files(tmp_path):
    files = PseudoLabelFiles(tmp_path)
    files.write_meta(dict(ids=[5, 9], classes=['cross', 'bottle']))
    return files


def test_new_ids():
    """In the order of the ids; without a step, or in files of another tool, all of them."""
    meta = dict(ids=[6, 5, 1], step=1, protocol=dict(steps=[[1, 2], [5, 6]]))
    assert new_ids(meta) == [6, 5]
    assert new_ids({**meta, 'step': 0}) == [1]
    assert new_ids(dict(ids=[6, 1])) == [6, 1] == new_ids(dict(ids=[6, 1], protocol={}))


def test_classes(files):
    """An id beyond the data set is named as well; without names nothing is known."""
    dataset = ShapesDataset(length=2, size=16)
    with pytest.raises(InvalidInputError, match='set unknown, where 9 is bottle; .* is no class'):
        check_classes(files, dataset)
    files.write_meta(dict(ids=[5], classes=['cross']))
    check_classes(files, dataset)
    files.write_meta(dict(ids=[9]))
    check_classes(files, dataset)


def test_damaged_list_of_images(files):
    """One line with the file's name."""
    (files.folder / 'image_labels.json').write_text('{"a": ')
    with pytest.raises(InvalidInputError, match=r"image_labels\.json' cannot be read"):
        count_made(files, ShapesDataset(length=2, size=16))
