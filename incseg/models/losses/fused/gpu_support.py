"""Whether Triton can launch kernels on a GPU."""

import warnings
from functools import cache
from importlib.util import find_spec

import torch


@cache
def can_launch(device: torch.device) -> bool:
    """Say whether Triton can launch the losses' kernel on a GPU, by launching it for one pixel.

    A launch needs more than the package: a C compiler, a folder for what is compiled, a driver
    and a GPU that this Triton knows.  Without one of them a warning says so, once; without the
    package nothing is said.

    Args:
        device: The GPU, with its index.
    """
    if find_spec('triton') is None:
        return False
    try:
        from incseg.models.losses.fused.triton_losses import losses_in_triton

        logits = torch.zeros(1, 2, 1, 1, device=device)
        labels = torch.zeros(1, 2, 2, dtype=torch.uint8, device=device)
        losses_in_triton(logits, logits[:, :1], labels, (2, 2), 1, True, 255, True)
    except Exception as error:  # each cause has a type of its own
        reason = (str(error) or type(error).__name__).strip().splitlines()[0]
        warnings.warn(
            f'the losses are computed from full-size logits, which takes more time and memory: '
            f'Triton cannot launch a kernel on {device} ({reason}); it needs a C compiler, such as '
            'gcc on PATH or the one that CC names'
        )
        return False
    return True
