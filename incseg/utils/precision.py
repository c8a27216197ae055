"""Number formats: bfloat16 where the hardware has it, float32 where it is needed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def computes_in_bfloat16(device: torch.device) -> bool:
    """Return whether a device computes in bfloat16 by itself, not by emulation."""
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == 'cpu' and (
        torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    )


def autocasts(amp: bool | str, device: torch.device) -> bool:
    """Return whether training runs under bfloat16 autocast.

    Args:
        amp: ``schedule.amp``: True, False, or ``'auto'``: True if the device
            has instructions for bfloat16.
        device: The device of the training.
    """
    return computes_in_bfloat16(device) if amp == 'auto' else bool(amp)


@contextmanager
def gpu_arithmetic(tf32: bool) -> Iterator[None]:
    """Set how a GPU rounds and which algorithms it uses, inside a ``with`` block.

    A training that ran before in this process leaves its settings behind:
    rounded products, and cuDNN algorithms chosen by timing, which differ from
    run to run.  In this context cuDNN uses its deterministic algorithms.  On a
    CPU nothing changes.

    Args:
        tf32: Whether float32 products may be rounded to 19 bits (``schedule.tf32``).
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
