import numpy as np
import pytest

from incseg.datasets import BaseImageLabels
from incseg.errors import InvalidInputError


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
            match=f"^here names the class '{name}'; allowed are aeroplane, bicycle, .*, tvmonitor$",
        ):
            Fixed(voc).ids_of_names(['person', name], 'here')


@pytest.mark.parametrize('given', [['person'], [21], [-1], [1.5], [True]])
def test_what_is_no_dataset_id(voc, given):
    """A source of one's own that gives names, or counts from somewhere else, is told so."""

    class Own(BaseImageLabels):
        def class_ids(self, image_id):
            return given

    with pytest.raises(InvalidInputError, match=r"class_ids\('x'\) of Own gives .*expected"):
        Own(voc).labels(['x'])
