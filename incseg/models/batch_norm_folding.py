"""Folding of BatchNorms into convolutions, for prediction."""

import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from mmcv.cnn import fuse_conv_bn
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.models.backbones.activated_norm import after_norm

#: height and width of the image of the trial
TRIAL_SIZE = (64, 64)
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
    gives a warning, and so does a network that takes no image of that size.  What a norm
    does after it has normalised (:func:`after_norm`) stays.

    Args:
        model: The network, in eval mode.  Its backbone may say another size of the image in
            an attribute ``trial_size``.
        parts: Names of its submodules.
        outputs: Function of normalised images ``(1, 3, 64, 64)`` that returns the network's
            outputs in one tensor; it is called before and after.
    """
    if not any(norms_of(getattr(model, name)) for name in parts):
        return
    device = next(model.parameters()).device
    size = getattr(getattr(model, 'backbone', None), 'trial_size', TRIAL_SIZE)
    noise = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0)).to(device)
    try:
        expected = outputs(noise)
    except (AssertionError, RuntimeError, ValueError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        warnings.warn(
            f'the network takes no image of {size[0]} x {size[1]} ({text}), so its BatchNorms '
            'stay: let its backbone say a trial_size'
        )
        return
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
            folded = keep_after(part, fuse_conv_bn(deepcopy(part))).requires_grad_(False)
            setattr(parent, name, folded)
            if len(norms_of(folded)) < len(norms_of(part)) and is_same():
                return True
        except RuntimeError:  # the norm of other channels than the convolution's
            pass
        setattr(parent, name, part)
    return any([fold(part, child, is_same) for child, _ in part.named_children()])


def keep_after(part: nn.Module, folded: nn.Module) -> nn.Module:
    """Put what norms do after normalising into the places of the norms that were folded.

    Args:
        part: A module with norms.
        folded: A copy of it, without some of them; it is changed and returned.
    """
    for name, norm in part.named_modules():
        if isinstance(norm, _BatchNorm) and (after := after_norm(norm)) is not None:
            parent, _, own = name.rpartition('.')
            place = folded.get_submodule(parent)
            if type(getattr(place, own, None)) is nn.Identity:
                setattr(place, own, deepcopy(after))
    return folded


def can_fold(part: nn.Module) -> bool:
    """Say whether all BatchNorms in a module have learnt weights and running statistics."""
    return all(norm.affine and norm.track_running_stats for norm in norms_of(part))


def norms_of(part: nn.Module) -> list[_BatchNorm]:
    """Return all BatchNorms in a module, itself included."""
    return [module for module in part.modules() if isinstance(module, _BatchNorm)]
