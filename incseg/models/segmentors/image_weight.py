import inspect
from typing import Any

import torch
from torch import Tensor


def weighted_by_image(
    criterion: Any, logits: Tensor, target: Tensor, image_weight: Tensor | None, **options: Any
) -> Tensor:
    """A loss whose images count differently, whether or not it knows of weights.

    A loss with an argument ``image_weight`` gets it; another one is called
    image by image, and what it returns is multiplied and averaged, which is the
    same for a loss that is a mean over all pixels.

    Args:
        criterion: Called ``criterion(logits, target, **options)``.
        logits: ``(N, C, h, w)``.
        target: ``(N, H, W)``.
        image_weight: ``(N,)``, or None for an ordinary call.
        options: Handed on.

    Returns:
        Scalar.
    """
    if image_weight is None:
        return criterion(logits, target, **options)
    if takes_image_weight(criterion):
        return criterion(logits, target, image_weight=image_weight, **options)
    losses = torch.stack([
        criterion(logits[i:i + 1], target[i:i + 1], **options) for i in range(len(logits))])
    return (losses * image_weight.to(losses)).mean()


def takes_image_weight(criterion: Any) -> bool:
    """Whether a loss has an argument ``image_weight``."""
    call = getattr(criterion, 'forward', criterion)
    return 'image_weight' in inspect.signature(call).parameters
