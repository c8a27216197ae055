"""Losses of full-size logits with the memory of one image."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from incseg.structures.network_outputs import upsample
from incseg.utils.precision import at_least_float32


def image_by_image(
    function: Callable[[Tensor, Tensor], Tensor],
    logits: Tensor,
    other: Tensor,
    size: tuple[int, int],
    image_weight: Tensor | None = None,
) -> Tensor:
    """Return the mean over images of a function of upsampled logits, one image at a time.

    Each image's gradient is brought back to the low resolution before the next
    image is upsampled, so full-size tensors exist for one image only.

    Args:
        function: Called with logits ``(1, C, H, W)`` and the same image of ``other``,
            ``(1, …)``; returns the mean over the image's pixels.
        logits: ``(N, C, h, w)`` at the head's resolution; half types are raised
            to float32.
        other: ``(N, …)``, labels or the teacher's logits.  Gets no gradient.
        size: ``(H, W)``.
        image_weight: ``(N,)``, a factor on each image.  Gets no gradient.

    Returns:
        Scalar.  It cannot be differentiated twice.
    """
    logits = at_least_float32(logits)
    if image_weight is None:
        image_weight = logits.new_ones(len(logits))
    with torch.autocast(logits.device.type, enabled=False):
        return _ImageByImage.apply(function, logits, other.detach(), size, image_weight.detach())


class _ImageByImage(torch.autograd.Function):
    """Autograd function that computes the gradient together with the loss.

    The backward pass only multiplies it by the incoming gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        function: Callable[[Tensor, Tensor], Tensor],
        logits: Tensor,
        other: Tensor,
        size: tuple[int, int],
        image_weight: Tensor,
    ) -> Tensor:
        need_grad = ctx.needs_input_grad[1]
        losses, gradients = [], []
        for image, its_other, weight in zip(logits.split(1), other.split(1), image_weight):
            with torch.set_grad_enabled(need_grad):
                image = image.detach().requires_grad_(need_grad)
                loss = function(upsample(image, size), its_other) * weight / len(logits)
            losses.append(loss.detach())
            if need_grad:
                gradients += torch.autograd.grad(loss, image)
        ctx.save_for_backward(*gradients)
        return torch.stack(losses).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Any:
        return None, upstream * torch.cat(ctx.saved_tensors), None, None, None
