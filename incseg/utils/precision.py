"""Number formats and algorithms: bfloat16 where the hardware has it, float32 where it is needed."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from incseg.errors import InvalidInputError

#: what cuBLAS needs to repeat its results; a user's own value stays
CUBLAS_WORKSPACE = 'CUBLAS_WORKSPACE_CONFIG', ':4096:8'
#: what torch says of an operation that depends on the order of its threads
NO_FORM = 'does not have a deterministic implementation'


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


def arithmetic_of(env_cfg: Mapping[str, Any]) -> dict[str, bool]:
    """Return the arguments of :func:`gpu_arithmetic` that a training runs with.

    Args:
        env_cfg: ``env_cfg`` of its Runner's config: ``tf32`` (on by default), ``deterministic``,
            and ``cudnn_benchmark`` as its ``benchmark``.
    """
    return dict(
        tf32=bool(env_cfg.get('tf32', True)),
        benchmark=bool(env_cfg.get('cudnn_benchmark', False)),
        deterministic=bool(env_cfg.get('deterministic', False)),
    )


@contextmanager
def gpu_arithmetic(
    tf32: bool, *, benchmark: bool = False, deterministic: bool = False
) -> Iterator[None]:
    """Set how a GPU rounds and which algorithms it uses, inside a ``with`` block.

    These settings of torch are global: what ran before in this process, or a user, may have left
    others.  The block sets all of them, and puts back what was there, also where it raises.
    Without ``benchmark`` cuDNN uses its deterministic algorithms.  On a CPU no number changes.

    Args:
        tf32: Whether float32 products may be rounded to 19 bits (``schedule.tf32``).
        benchmark: Whether cuDNN times its algorithms for each new shape and takes the fastest,
            which differs from run to run.  It pays where shapes repeat.
        deterministic: Whether torch uses deterministic algorithms alone, and refuses what has
            none on a GPU (``schedule.deterministic``); cuDNN then does not time its algorithms.
    """
    fixed = deterministic or not benchmark
    with (
        allowed_tf32(tf32),
        deterministic_algorithms(deterministic),
        torch.backends.cudnn.flags(
            enabled=True, benchmark=not fixed, deterministic=fixed, allow_tf32=tf32
        ),
    ):
        yield


@contextmanager
def allowed_tf32(allowed: bool) -> Iterator[None]:
    """Let a GPU round the factors of float32 products to 19 bits, or not, in a ``with`` block.

    Args:
        allowed: Whether matrix products may be rounded; convolutions stay as they are.
    """
    matmul = torch.backends.cuda.matmul
    before, matmul.allow_tf32 = matmul.allow_tf32, allowed
    try:
        yield
    finally:
        matmul.allow_tf32 = before


@contextmanager
def deterministic_algorithms(on: bool) -> Iterator[None]:
    """Let torch use deterministic algorithms alone inside a ``with`` block.

    Args:
        on: False leaves torch as it is.

    Raises:
        InvalidInputError: An operation has none on a GPU.
    """
    if not on:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    name, value = CUBLAS_WORKSPACE
    workspace = os.environ.get(name)
    os.environ.setdefault(name, value)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as error:
        if NO_FORM not in str(error):
            raise
        raise InvalidInputError(
            f'schedule.deterministic is True, but {str(error).split(NO_FORM)[0].strip()} has no '
            'deterministic form on a GPU: leave the setting out, or the part that uses it'
        ) from error
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)
        if workspace is None:
            del os.environ[name]


def at_least_float32(x: Tensor) -> Tensor:
    """Raise half types to float32; float32 and float64 stay as they are."""
    return x.float() if x.dtype.itemsize < 4 else x
