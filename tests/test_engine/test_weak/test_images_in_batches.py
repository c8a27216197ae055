"""Images are read ahead and labels written in threads, within bounds and without losing any."""

import threading

import numpy as np
import pytest

from incseg.engine.weak.image_batches import equal_size_batches
from incseg.engine.weak.pseudo_label_maker import BoundedPool
from incseg.errors import MissingFileError


class Pictures:
    """Pictures of two sizes, each filled with its own number."""

    def __init__(self, sizes):
        self.sizes = sizes

    def get_data_info(self, index):
        return dict(img=np.full((*self.sizes[index], 3), index, np.uint8))


def test_equal_sizes_together():
    """If it fails, an image is lost, repeated or mistaken for another one, or a batch mixes
    sizes."""
    sizes = [(4, 6), (6, 4), (4, 6), (4, 6), (6, 4), (4, 6), (4, 6)]
    batches = list(equal_size_batches(Pictures(sizes), range(7), 2))
    assert [chosen for chosen, _ in batches] == [[0, 2], [1, 4], [3, 5], [6]]
    for chosen, images in batches:
        assert images.shape == (len(chosen), 3, *sizes[chosen[0]])
        assert [int(image.unique()) for image in images] == chosen


def test_many_sizes_do_not_fill_the_memory():
    """If it fails, images of rare sizes wait until all images are in memory."""
    sizes = [(4, 4 + i) for i in range(40)]
    batches = equal_size_batches(Pictures(sizes), range(40), 1)
    assert [chosen for chosen, _ in batches] == [[i] for i in range(40)]
    seen = [chosen for chosen, _ in equal_size_batches(Pictures(sizes), range(40), 2)]
    assert sorted(sum(seen, [])) == list(range(40)) and all(len(c) == 1 for c in seen)


def test_errors_come_through():
    """If it fails, a missing image, which a thread reads, does not stop the run with its name."""

    class Missing:
        def get_data_info(self, index):
            return dict(img_path='gone.jpg')

    with pytest.raises(MissingFileError, match=r"gone\.jpg' does not exist"):
        list(equal_size_batches(Missing(), [0], 2))


def test_everything_is_done_on_leaving():
    """If it fails, a file that is still being written when the tool ends is lost."""
    done = []
    with BoundedPool(2, 3) as pool:
        for i in range(20):
            pool.submit(done.append, i)
    assert sorted(done) == list(range(20))


def test_no_more_than_so_many_wait():
    """If it fails, finished maps pile up in memory while the disk is slow."""
    gate, started = threading.Event(), threading.Semaphore(0)

    def wait():
        started.release()
        gate.wait(10)

    with BoundedPool(1, 2) as pool:
        pool.submit(wait)
        pool.submit(wait)
        third = threading.Thread(target=pool.submit, args=(wait,))
        started.acquire()
        third.start()
        third.join(0.1)
        assert third.is_alive()
        gate.set()
        third.join(10)
        assert not third.is_alive()


def test_first_error_is_raised():
    """If it fails, a full disk does not end the run with its own error."""

    def fail():
        raise OSError('full')

    with pytest.raises(OSError, match='full'), BoundedPool(1, 2) as pool:
        pool.submit(fail)
    with pytest.raises(ValueError, match='outer'), BoundedPool(1, 2):
        raise ValueError('outer')
