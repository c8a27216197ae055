from collections.abc import Callable
from typing import Any, TypeVar

from mmengine.dist import broadcast_object_list, is_main_process

T = TypeVar('T')


def on_rank_zero(work: Callable[..., T], **kwargs: Any) -> T:
    """Do ``work(**kwargs)`` in the first process only and give its answer to all.

    Every process of the group has to call this.  An error of the first process
    is raised in all of them, so that none waits for ever.
    """
    answer: list[Any] = [None, None]
    if is_main_process():
        try:
            answer[0] = work(**kwargs)
        except Exception as error:  # the others wait for us, whatever it is
            answer[1] = error
    own_error = answer[1]
    if own_error is not None:
        answer[1] = _portable(own_error)
    broadcast_object_list(answer)
    if own_error is not None:
        raise own_error
    if answer[1] is not None:
        raise answer[1]
    return answer[0]


def _portable(error: Exception) -> Exception:
    """The error in a form that survives pickling: one message, no traceback, no cause."""
    try:
        return type(error)(str(error))
    except Exception:
        return RuntimeError(f'{type(error).__name__}: {error}')
