"""Rows of image-level labels: by image, by dataset id, and what a step may see of them."""

import numpy as np
import pytest

from incseg.datasets import BaseImageLabels, JSONImageLabels, visible_labels, write_image_labels
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol


class Fixed(BaseImageLabels):
    def class_ids(self, image_id):
        return {'x': [2], 'y': []}[image_id]


def test_rows_follow_the_ids_that_are_asked_for(voc, shown):
    """Row order of another list would give an image its neighbour's classes."""
    rows = Fixed(voc).labels(['y', 'x', 'y'])
    assert rows.dtype == np.bool_ and rows.shape == (3, 21)
    assert shown(rows) == [[0], [0, 2], [0]]


def test_unknown_name_is_refused(voc):
    """A misspelt class must not vanish silently; the background is no image-level label."""
    assert Fixed(voc).ids_of_names(['person', 'aeroplane'], 'there') == [15, 1]
    for name in ('persn', 'background'):
        with pytest.raises(
            InvalidInputError,
            match=f"^a class in here is '{name}', expected 'aeroplane', .* or 'tvmonitor'",
        ):
            Fixed(voc).ids_of_names(['person', name], 'here')


@pytest.mark.parametrize('given', [['person'], [21], [-1], [1.5], [True]])
def test_what_is_no_dataset_id(voc, given):
    """A source of one's own that gives names, or counts from somewhere else, is told so."""

    class Own(BaseImageLabels):
        def class_ids(self, image_id):
            return given

    with pytest.raises(InvalidInputError, match=r"class_ids\('x'\) of Own is .*expected"):
        Own(voc).labels(['x'])


PROTOCOL = Protocol(4, 2, 1, class_order=(3, 1, 4, 2))
LABELS = np.ones((2, 5), np.bool_)


def test_only_new_classes_are_visible():
    """Worked example: order 3, 1 | 4 | 2.  An old or future class that stays visible would be
    supervision which the setting does not allow."""
    assert visible_labels(LABELS, PROTOCOL, 0).astype(int).tolist() == [[1, 1, 0, 1, 0]] * 2
    assert visible_labels(LABELS, PROTOCOL, 1).astype(int).tolist() == [[1, 0, 0, 0, 1]] * 2
    assert LABELS.all()
    assert not visible_labels(~LABELS, PROTOCOL, 1).any()


def test_scope_all_is_a_copy():
    """Everything stays; what the caller does with it does not reach the data set's labels."""
    rows = visible_labels(LABELS, PROTOCOL, 1, 'all')
    assert rows.all() and not np.shares_memory(rows, LABELS)
    with pytest.raises(InvalidInputError, match="scope is 'new', expected 'all' or 'step'"):
        visible_labels(LABELS, PROTOCOL, 1, 'new')


def test_round_trip(voc, tmp_path):
    """What is written is read back by id; the background is not a class name in the file."""
    rows = np.zeros((3, 21), np.bool_)
    rows[:, 0] = True
    rows[0, [2, 20]] = rows[2, 5] = True
    path = tmp_path / 'new' / 'labels.json'
    write_image_labels(path, ['a', 'b/c', 'ä'], rows, voc.metainfo['classes'])
    assert 'background' not in path.read_text()
    assert (JSONImageLabels(voc, str(path)).labels(['ä', 'a', 'b/c']) == rows[[2, 0, 1]]).all()
