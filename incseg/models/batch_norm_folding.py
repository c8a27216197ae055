"""Folding of BatchNorms into convolutions, for prediction."""

import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from mmcv.cnn import fuse_conv_bn
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

#: share of the greatest output by which outputs may change; a norm in a wrong place changes more
TOLERANCE = 0.01


@torch.no_grad()
def fold_batch_norm(
    model: nn.Module, parts: Sequence[str], outputs: Callable[[Tensor], Tensor]
) -> None:
    """Fold each BatchNorm of some parts into the convolution registered before it, in place.

    A trial on a small image shows whether the two also follow each other in
    ``forward``: first with all norms of a part, then, if the outputs differ, with those
    of its submodules.  A norm that cannot be folded stays; a part with no folded norm
    gives a warning.

    Args:
        model: The network, in eval mode.
        parts: Names of its submodules.
        outputs: Function of normalised images ``(1, 3, 64, 64)`` that returns the network's
            outputs in one tensor; it is called before and after.
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
    """Fold the norms of a submodule, or else of its submodules, in place.

    Args:
        parent: The module that has the submodule.
        name: Name of the submodule; a folded copy takes its place.
        is_same: Says whether the network's outputs are as before; if not, the fold is undone.

    Returns:
        Whether any norm was folded.
    """
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
    """Say whether all BatchNorms in a module have learnt weights and running statistics."""
    return all(norm.affine and norm.track_running_stats for norm in norms_of(part))


def norms_of(part: nn.Module) -> list[_BatchNorm]:
    """Return all BatchNorms in a module, itself included."""
    return [module for module in part.modules() if isinstance(module, _BatchNorm)]
