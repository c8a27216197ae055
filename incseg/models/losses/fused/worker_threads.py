"""Threads that run torch's operations on one core each."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Barrier
from typing import TypeVar

import torch

Item = TypeVar('Item')
Result = TypeVar('Result')


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> list[Result]:
    """Return ``[function(item) for item in items]``, without gradient, from several threads.

    Each thread runs torch's operations on one core.  With many short operations
    this is faster than torch's own threads, which meet after every operation and
    wait for one another whenever another process needs a core.

    Args:
        function: Called with each item; it must be safe to run in several threads.
        items: The arguments.
        threads: Number of threads; 1 runs in the calling thread, with torch's own threads.
    """

    @torch.no_grad()  # a thread has its own grad mode
    def call(item: Item) -> Result:
        return function(item)

    if threads <= 1:
        return [call(item) for item in items]
    return list(pool(threads).map(call, items))


@lru_cache(maxsize=4)
def pool(threads: int) -> ThreadPoolExecutor:
    """Return a pool of that many threads, in each of which torch uses one core; made once."""
    own = torch.get_num_threads()
    everyone = Barrier(threads)
    executor = ThreadPoolExecutor(threads, 'incseg', initializer=use_one_core)
    list(executor.map(lambda _: everyone.wait(), range(threads)))  # all have started
    torch.set_num_threads(own)  # each thread has its own number, but new ones copy the last
    return executor


def use_one_core() -> None:
    """Let torch use one core in the calling thread."""
    torch.get_num_threads()  # settles the thread's number, which a first operation would reset
    torch.set_num_threads(1)


os.register_at_fork(after_in_child=pool.cache_clear)  # threads do not survive a fork
