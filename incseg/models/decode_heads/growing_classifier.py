"""The classifier that gets new outputs in every step."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from incseg.utils.rules import expected


class GrowingClassifier(nn.Module):
    """A 1x1 convolution for the classes of each step; the logits are joined in learning order.

    However many steps there were, the forward pass is a single convolution
    over the concatenated weights.

    Args:
        channels: Input channels.
        outputs_per_step: Classes of each step; the first number includes the background.
        has_background: Whether output 0 is the background; else output ``i`` is
            train id ``i + 1`` and the first classifier has one output less.
        init_std: Standard deviation of the first weights, see :func:`start_classifier`.

    Attributes:
        outputs_per_step: The argument, a tuple.

    Raises:
        ValueError: If a step has no outputs.
    """

    def __init__(
        self,
        channels: int,
        outputs_per_step: Sequence[int],
        has_background: bool = True,
        init_std: float | None = 0.01,
    ):
        super().__init__()
        self.outputs_per_step = tuple(outputs_per_step)
        self.has_background = has_background
        outputs = list(outputs_per_step)
        if outputs and not has_background:
            outputs[0] -= 1
        if not outputs or min(outputs) < 1:
            raise expected(
                'outputs_per_step', list(outputs_per_step), 'one positive number per step'
            )
        self.steps = nn.ModuleList(nn.Conv2d(channels, n, 1) for n in outputs)
        for conv in self.convs:
            start_classifier(conv, init_std)

    @property
    def convs(self) -> list[nn.Conv2d]:
        """The 1x1 convolutions, one per step, the newest last."""
        return [conv for conv in self.steps if isinstance(conv, nn.Conv2d)]

    @property
    def num_outputs(self) -> int:
        """Number of output channels of all steps together."""
        return sum(conv.out_channels for conv in self.convs)

    @property
    def num_classes(self) -> int:
        """Number of train ids so far, the background included."""
        return sum(self.outputs_per_step)

    @property
    def num_old(self) -> int:
        """Number of train ids before the newest step, the background included; 1 at step 0."""
        return sum(self.outputs_per_step[:-1]) or 1

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(N, num_outputs, h, w)`` of features ``(N, channels, h, w)``.

        They have the dtype of the weights, also under autocast: bfloat16 would round logits to
        three digits before the losses compare them.
        """
        weight = torch.cat([conv.weight for conv in self.convs])
        bias = torch.cat([conv.bias for conv in self.convs])  # type: ignore[misc]
        x = x.to(weight.dtype)
        if x.is_meta:  # has no autocast
            return F.conv2d(x, weight, bias)
        with torch.autocast(x.device.type, enabled=False):
            return F.conv2d(x, weight, bias)


def start_classifier(conv: nn.Conv2d, std: float | None) -> None:
    """Give a classifier random weights, in place.

    Args:
        conv: The classifier.
        std: Standard deviation of the weights, with biases of zero; None for torch's own start
            of a convolution (uniform weights and biases).
    """
    if std is None:
        conv.reset_parameters()
        return
    nn.init.normal_(conv.weight, std=std)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
