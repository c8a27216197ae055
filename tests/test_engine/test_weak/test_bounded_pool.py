import threading

import pytest

from incseg.engine.weak.pseudo_label_maker import BoundedPool


def test_everything_is_done_on_leaving():
    """A file that is still being written when the tool ends would be lost."""
    done = []
    with BoundedPool(2, 3) as pool:
        for i in range(20):
            pool.submit(done.append, i)
    assert sorted(done) == list(range(20))


def test_no_more_than_so_many_wait():
    """Finished maps must not pile up in memory while the disk is slow."""
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
    """A full disk ends the run, with its own error."""

    def fail():
        raise OSError('full')

    with pytest.raises(OSError, match='full'), BoundedPool(1, 2) as pool:
        pool.submit(fail)
    with pytest.raises(ValueError, match='outer'), BoundedPool(1, 2):
        raise ValueError('outer')
