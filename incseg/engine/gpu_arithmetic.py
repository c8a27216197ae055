from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def gpu_arithmetic(tf32: bool) -> Iterator[None]:
    """The same rounding and algorithms on a GPU, whatever ran in this process before.

    A training leaves its own behind: products that may be rounded, and cuDNN
    choosing algorithms by their timing, which differs from run to run.  Within
    this context the algorithms are cuDNN's deterministic ones.  On a CPU it
    changes nothing.

    Args:
        tf32: whether float32 products may be rounded to 19 bits (``schedule.tf32``).
    """
    matmul = torch.backends.cuda.matmul
    before, matmul.allow_tf32 = matmul.allow_tf32, tf32
    try:
        with torch.backends.cudnn.flags(
                enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32):
            yield
    finally:
        matmul.allow_tf32 = before
