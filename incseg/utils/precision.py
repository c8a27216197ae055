"""Number formats and algorithms: bfloat16 where the hardware has it, float32 where it is needed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from incseg.errors import InvalidInputError

#: what cuBLAS reads once per process, to repeat its results; it is set where incseg is imported
CUBLAS_WORKSPACE = 'CUBLAS_WORKSPACE_CONFIG'
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
    A rule of ``fp32_precision`` that followed another one, as ``torch.backends.fp32_precision``,
    follows it again afterwards.

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
        _convolutions_in('tf32' if tf32 else 'ieee'),
        deterministic_algorithms(deterministic),
        _cudnn(enabled=True, benchmark=not fixed, deterministic=fixed),
    ):
        yield


@contextmanager
def allowed_tf32(allowed: bool) -> Iterator[None]:
    """Let a GPU round the factors of float32 products to 19 bits, or not, in a ``with`` block.

    torch has a former setting (``allow_tf32``, ``set_float32_matmul_precision``) and one of today
    (``fp32_precision``), which decides, and refuses to read the former where the two differ.  So
    both are set, unless the former is ``'medium'``, which says something of a CPU too.

    Args:
        allowed: Whether matrix products may be rounded; convolutions stay as they are.
    """
    matmul = torch.backends.cuda.matmul
    own = _own_precision(matmul, torch.backends.cudnn)
    former = _former_precision()
    both = former in ('highest', 'high')
    try:
        if both:
            matmul.allow_tf32 = allowed
        matmul.fp32_precision = 'tf32' if allowed else 'ieee'
        yield
    finally:
        if both:
            matmul.allow_tf32 = former == 'high'
        matmul.fp32_precision = own


def _former_precision() -> str | None:
    """Return torch's former setting; None where a user's settings for the CPU contradict it.

    Today's setting of matrix products is changed: it has to agree with what is read.
    """
    for agreeing in ('ieee', 'tf32'):
        torch.backends.cuda.matmul.fp32_precision = agreeing
        try:
            return torch.get_float32_matmul_precision()
        except RuntimeError:
            continue
    return None


@contextmanager
def _convolutions_in(precision: str) -> Iterator[None]:
    """Set ``fp32_precision`` of cuDNN's operations to ``'tf32'`` or ``'ieee'`` in a ``with`` block.

    torch's default of an operation cannot be set again once it was replaced.  So the rule above the
    operations is set, and of these only what a user set to another value.  ``cudnn.allow_tf32``,
    torch's former setting, stays as it is: inside the block torch may refuse to read it.
    """
    cudnn: Any = torch.backends.cudnn  # its attributes are made at run time
    above, own = _own_precision(cudnn, torch.backends), []
    try:
        cudnn.fp32_precision = precision
        for operation in (cudnn.conv, cudnn.rnn):
            if operation.fp32_precision != precision:
                own.append((operation, operation.fp32_precision))
                operation.fp32_precision = precision
        yield
    finally:
        for operation, before in own:
            operation.fp32_precision = before
        cudnn.fp32_precision = above


def _own_precision(rule: Any, above: Any) -> str:
    """Return the ``fp32_precision`` that is set at a rule itself; ``'none'`` if it has none.

    Reading a rule without a value gives that of the rule above it, which is changed here to
    tell the two apart, and put back.

    Args:
        rule: torch's rule of an operation, or of a GPU.
        above: The rule that it follows: that of a GPU, or of all devices.
    """
    read = rule.fp32_precision
    before = (
        above.fp32_precision if above is torch.backends else _own_precision(above, torch.backends)
    )
    above.fp32_precision = 'ieee' if read == 'tf32' else 'tf32'
    try:
        return read if rule.fp32_precision == read else 'none'
    finally:
        above.fp32_precision = before


@contextmanager
def _cudnn(**flags: bool) -> Iterator[None]:
    """Set flags of cuDNN by name inside a ``with`` block."""
    cudnn = torch.backends.cudnn
    before = {name: getattr(cudnn, name) for name in flags}
    try:
        for name, value in flags.items():
            setattr(cudnn, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(cudnn, name, value)


@contextmanager
def deterministic_algorithms(on: bool) -> Iterator[None]:
    """Let torch use deterministic algorithms alone inside a ``with`` block.

    Args:
        on: False leaves torch as it is.

    Raises:
        InvalidInputError: An operation has none on a GPU, or cuBLAS has no workspace for them.
    """
    if not on:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as error:
        if CUBLAS_WORKSPACE in str(error):
            raise InvalidInputError(
                'schedule.deterministic is True, but the process multiplied matrices on the GPU '
                f'before incseg was imported, or {CUBLAS_WORKSPACE} has another value: set '
                f'{CUBLAS_WORKSPACE}=:4096:8 before the start'
            ) from error
        if NO_FORM not in str(error):
            raise
        raise InvalidInputError(
            f'schedule.deterministic is True, but {str(error).split(NO_FORM)[0].strip()} has no '
            'deterministic form on a GPU: leave the setting out, or the part that uses it'
        ) from error
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)


def at_least_float32(x: Tensor) -> Tensor:
    """Raise half types to float32; float32 and float64 stay as they are."""
    return x.float() if x.dtype.itemsize < 4 else x
