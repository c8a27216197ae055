import numpy as np

from incseg.apis.inferencer import list_images


def test_list_images(tmp_path):
    """A folder is its images in order; arrays and sequences are taken as they are."""
    for name in ('b.PNG', 'a.jpg', 'notes.txt'):
        (tmp_path / name).touch()
    assert list_images(tmp_path) == [tmp_path / 'a.jpg', tmp_path / 'b.PNG']
    array = np.zeros((2, 2, 3), np.uint8)
    assert list_images(array) == [array]
    assert list_images(['x.jpg', array]) == ['x.jpg', array]
