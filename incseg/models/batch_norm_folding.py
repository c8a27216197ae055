import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from mmcv.cnn import fuse_conv_bn
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

TOLERANCE = 0.01  # of the greatest output; a norm in the wrong place changes far more


@torch.no_grad()
def fold_batch_norm(
    model: nn.Module, parts: Sequence[str], outputs: Callable[[Tensor], Tensor]
) -> None:
    """Fold each BatchNorm of some parts into the convolution registered before it, in place.

    Whether the two also follow each other in ``forward`` is tried on a small
    image: first for a part as a whole, then, if that is not so, for what it is
    made of.  What cannot be folded stays as it is, with a warning where that is
    all of a part.

    Args:
        model: The network, in eval mode.
        parts: Names of its submodules.
        outputs: What the network gives for normalised images
            ``(1, 3, 64, 64)``, in one tensor; read before and after.
    """
    device = next(model.parameters()).device
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).to(device)
    expected = outputs(noise)
    allowed = TOLERANCE * expected.abs().max()

    def is_same() -> bool:
        return bool((outputs(noise) - expected).abs().max() <= allowed)

    for name in parts:
        part = getattr(model, name)
        if norms_of(part) and not fold(model, name, is_same) and can_fold(part):
            warnings.warn(
                f'{type(part).__name__}: its BatchNorm is not what follows the convolution '
                'registered before it, and stays'
            )


def fold(parent: nn.Module, name: str, is_same: Callable[[], bool]) -> bool:
    """Replace a submodule, or what can be of its own ones; whether anything was."""
    part = getattr(parent, name)
    if not norms_of(part):
        return False
    if can_fold(part):
        try:
            folded = fuse_conv_bn(deepcopy(part)).requires_grad_(False)
            setattr(parent, name, folded)
            if len(norms_of(folded)) < len(norms_of(part)) and is_same():
                return True
        except RuntimeError:  # the norm of other channels than the convolution's
            pass
        setattr(parent, name, part)
    return any([fold(part, child, is_same) for child, _ in part.named_children()])


def can_fold(part: nn.Module) -> bool:
    """Whether all norms of a part are a factor and an offset."""
    return all(norm.affine and norm.track_running_stats for norm in norms_of(part))


def norms_of(part: nn.Module) -> list[_BatchNorm]:
    return [module for module in part.modules() if isinstance(module, _BatchNorm)]
