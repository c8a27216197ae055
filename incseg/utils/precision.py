"""Where arithmetic in bfloat16 pays."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16, and does not emulate it."""
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == 'cpu' and (
        torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    )


def autocasts(amp: bool | str, device: torch.device) -> bool:
    """Whether training runs under bfloat16 autocast.

    Args:
        amp: ``schedule.amp``: True, False, or ``'auto'`` for where the device
            has the instructions.
        device: What is trained on.
    """
    return computes_in_bfloat16(device) if amp == 'auto' else bool(amp)


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
            enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32
        ):
            yield
    finally:
        matmul.allow_tf32 = before


def at_least_float32(x: Tensor) -> Tensor:
    """Raise half types to float32; float32 and float64 stay as they are."""
    return x.float() if x.dtype.itemsize < 4 else x
