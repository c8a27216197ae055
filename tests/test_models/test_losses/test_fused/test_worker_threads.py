"""Threads for images: results in order, torch's own threads as they were, forks survived."""

import os
import threading

import pytest
import torch

from incseg.models.losses.fused.worker_threads import map_in_threads, pool


@pytest.mark.parametrize('threads', [1, 2, 3])
def test_in_order_and_without_gradient(threads):
    """If it fails, images swap their losses, or a graph of all chunks is kept."""
    weight = torch.ones(1, requires_grad=True)
    results = map_in_threads(lambda item: weight * item, range(20), threads)
    assert [int(x) for x in results] == list(range(20))
    assert not any(x.requires_grad for x in results)


def test_one_core_a_thread_and_no_trace_elsewhere():
    """If it fails, threads wait for one another, or the rest of training runs on one core."""
    own = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        pool.cache_clear()
        counts = map_in_threads(lambda _: torch.get_num_threads(), range(4), 2)
        newborn = []
        thread = threading.Thread(target=lambda: newborn.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert counts == [1] * 4 and torch.get_num_threads() == 3 and newborn == [3]
    finally:
        torch.set_num_threads(own)


def test_an_error_arrives():
    """If it fails, a label out of range hangs training or passes."""
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda item: 1 / item, range(4), 2)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork here')
def test_a_forked_process_makes_its_own():
    """If it fails, a loss in a forked worker waits for threads that are not there."""
    map_in_threads(abs, range(4), 2)
    child = os.fork()
    if child == 0:
        os._exit(0 if map_in_threads(abs, [-1, 2], 2) == [1, 2] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
