import numpy as np
import pytest

from incseg.engine.weak.image_batches import equal_size_batches
from incseg.errors import MissingFileError


class Pictures:
    """Pictures of two sizes, each filled with its own number."""

    def __init__(self, sizes):
        self.sizes = sizes

    def get_data_info(self, index):
        return dict(img=np.full((*self.sizes[index], 3), index, np.uint8))


def test_equal_sizes_together():
    """Every image once, in batches of one size, each with its own pixels."""
    sizes = [(4, 6), (6, 4), (4, 6), (4, 6), (6, 4), (4, 6), (4, 6)]
    batches = list(equal_size_batches(Pictures(sizes), range(7), 2))
    assert [chosen for chosen, _ in batches] == [[0, 2], [1, 4], [3, 5], [6]]
    for chosen, images in batches:
        assert images.shape == (len(chosen), 3, *sizes[chosen[0]])
        assert [int(image.unique()) for image in images] == chosen


def test_many_sizes_do_not_fill_the_memory():
    """When eight batches' worth of images wait, the fullest go out."""
    sizes = [(4, 4 + i) for i in range(40)]
    batches = equal_size_batches(Pictures(sizes), range(40), 1)
    assert [chosen for chosen, _ in batches] == [[i] for i in range(40)]
    seen = [chosen for chosen, _ in equal_size_batches(Pictures(sizes), range(40), 2)]
    assert sorted(sum(seen, [])) == list(range(40)) and all(len(c) == 1 for c in seen)


def test_errors_come_through():
    """A missing image stops the run by its name, from a thread as well."""

    class Missing:
        def get_data_info(self, index):
            return dict(img_path='gone.jpg')

    with pytest.raises(MissingFileError, match=r"gone\.jpg' does not exist"):
        list(equal_size_batches(Missing(), [0], 2))
