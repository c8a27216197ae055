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
    """``[function(item) for item in items]``, without gradient, a thread an item.

    Each thread runs torch's operations alone.  Where there are many short ones
    this beats torch's own threads, which meet after every operation and wait
    for one another whenever something else needs a core.

    Args:
        function: What to call; must be safe to run in several threads.
        items: Its arguments.
        threads: How many at once; 1 runs in the calling thread, with torch's
            own threads.
    """

    @torch.no_grad()  # a thread has its own grad mode
    def call(item: Item) -> Result:
        return function(item)

    if threads <= 1:
        return [call(item) for item in items]
    return list(pool(threads).map(call, items))


@lru_cache(maxsize=4)
def pool(threads: int) -> ThreadPoolExecutor:
    """Threads in which torch uses one core each."""
    own = torch.get_num_threads()
    everyone = Barrier(threads)
    made = ThreadPoolExecutor(threads, 'incseg', initializer=use_one_core)
    list(made.map(lambda _: everyone.wait(), range(threads)))  # all have started
    torch.set_num_threads(own)  # the number is each thread's own, but newborn ones copy the last
    return made


def use_one_core() -> None:
    torch.get_num_threads()  # settles the thread's number, which a first operation would reset
    torch.set_num_threads(1)


os.register_at_fork(after_in_child=pool.cache_clear)  # threads do not survive a fork
