"""Images are held out by their content: an image that was learned from is never tested on."""

import hashlib

import numpy as np
import pytest

from incseg.datasets.folders.held_out import held_out


def digests(start, end):
    return [hashlib.sha256(str(i).encode()).digest() for i in range(start, end)]


@pytest.mark.parametrize(('images', 'least', 'most'), [(24, 0, 0), (25, 5, 9), (200, 30, 50)])
def test_how_many(images, least, most):
    """If it fails, a small folder loses its images to the test, or has none of them."""
    assert least <= held_out(digests(0, images), 0.2).sum() <= most


def test_limits():
    """If it fails, five images do not make a test, or a large folder is tested for hours."""
    assert held_out(digests(0, 400), 0.001).sum() == 5
    assert held_out(digests(0, 5000), 0.2).sum() == 100


def test_growth_and_order():
    """If it fails, a folder that grows is tested on images that the network has learned from."""
    before = held_out(digests(0, 60), 0.2)
    np.testing.assert_array_equal(held_out(digests(0, 60)[::-1], 0.2)[::-1], before)
    for size in (61, 100, 400):
        np.testing.assert_array_equal(held_out(digests(0, size), 0.2)[:60], before)
    for size in (1000, 4000):
        assert not (held_out(digests(0, size), 0.2)[:60] & ~before).any()


def test_copies_stay_together():
    """If it fails, a copy of a test image is learned from."""
    out = held_out([*digests(0, 300), *digests(0, 300)], 0.2)
    np.testing.assert_array_equal(out[:300], out[300:])
