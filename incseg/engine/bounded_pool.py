from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any


class BoundedPool:
    """Threads that work off tasks behind the caller's back, but not without end.

    Used in a ``with`` statement, which waits for the tasks that are left.  The
    first error of a task is raised in the caller, at the latest on leaving.

    Args:
        num_threads: how many tasks run at a time.
        most_waiting: :meth:`submit` waits while so many tasks are not done.
    """

    def __init__(self, num_threads: int, most_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(num_threads)
        self._tasks: deque[Future] = deque()
        self._most_waiting = most_waiting

    def submit(self, task: Callable[..., Any], *args: Any) -> None:
        """Have ``task(*args)`` done."""
        while len(self._tasks) >= self._most_waiting:
            self._tasks.popleft().result()
        self._tasks.append(self._pool.submit(task, *args))

    def __enter__(self) -> 'BoundedPool':
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        try:
            while self._tasks and kind is None:
                self._tasks.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)
