"""The layout of a network's tensors, and convolutions whose gradients suit the processor."""

from typing import Any

import torch
from torch import Tensor, nn

from incseg.utils.rules import Rule, checked

#: the layout that a trial decides at the start of a training
AUTO = 'auto'
LAYOUT: Rule = (
    lambda value: value is None or isinstance(value, bool) or value == AUTO,
    "None, True, False or 'auto'",
)
#: multiplications of a convolution from which another layout pays for copying its tensors
LARGE = 2**28
BOTH = (torch.contiguous_format, torch.channels_last)


def suits_channels_last(network: nn.Module) -> bool:
    """Return whether the channels-last layout is the faster one here, by a rule.

    It is on GPUs and on processors with AVX-512.  With AVX2 alone oneDNN is faster in NCHW: by
    its own layout of blocks, and by gradients of weights, which take up to 5 times as long in
    channels-last.  Depthwise convolutions have no such blocks: a network of them, such as
    EfficientNet-Lite, trains 1.2 to 1.5 times as fast in channels-last there too.
    """
    return torch.cuda.is_available() or not only_avx2() or mostly_depthwise(network)


def mostly_depthwise(network: nn.Module) -> bool:
    """Return whether at least half of the spatial 2D convolutions of a network are depthwise."""
    spatial = [
        module.groups > 1 and module.groups == module.in_channels
        for module in network.modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1)
    ]
    return 2 * sum(spatial) >= max(len(spatial), 1)


def only_avx2() -> bool:
    """Return whether the processor has AVX2 and no AVX-512."""
    return torch.backends.cpu.get_cpu_capability() == 'AVX2'


def lay_out(network: nn.Module, channels_last: bool | str | None) -> torch.memory_format:
    """Bring a network into a layout, in place, and return the layout for its inputs.

    torch's own 2D convolutions become :class:`Conv2d`; their parameters, names and hooks stay.
    Convolutions of other classes, subclasses too, are left as they are.

    Args:
        network: The network.
        channels_last: Whether the layout is channels-last; None, and ``'auto'`` before anybody
            decided, is the rule :func:`suits_channels_last`.

    Raises:
        InvalidInputError: ``channels_last`` is something else.
    """
    chosen = checked('channels_last', channels_last, LAYOUT)
    if not isinstance(chosen, bool):
        chosen = suits_channels_last(network)
    layout = BOTH[chosen]
    network.to(memory_format=layout)  # type: ignore[call-overload]
    for module in network.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = Conv2d
    return layout


class Conv2d(nn.Conv2d):
    """A convolution whose gradients are computed in the layout that is fast for each.

    With AVX2 alone, in float32: the weight's gradient in NCHW, and the input's gradient of a
    convolution with a stride in channels-last, whatever the layout of the network.  Elsewhere, in
    other types, for small tensors and without gradients this is torch's own, to the bit.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Convolve ``(N, C, H, W)`` as :class:`torch.nn.Conv2d` does."""
        if self.weight.requires_grad and torch.is_grad_enabled() and self._gains(input):
            return _Convolution.apply(
                input, self.weight, self.bias, self.stride, self.padding, self.dilation
            )
        return super().forward(input)

    def _gains(self, x: Tensor) -> bool:
        positions = x.shape[0] * x.shape[-2] * x.shape[-1] // (self.stride[0] * self.stride[1])
        return (
            computes_as_avx2(x)
            and self.kernel_size != (1, 1)
            and self.groups == 1
            and self.padding_mode == 'zeros'
            and isinstance(self.padding, tuple)
            and positions * self.weight.numel() >= LARGE
        )


def computes_as_avx2(x: Tensor) -> bool:
    """Return whether a convolution of ``x`` runs in the kernels that this module works around."""
    return (
        not torch.compiler.is_compiling()
        and x.device.type == 'cpu'
        and x.dtype == torch.float32
        and x.dim() == 4
        and not torch.is_autocast_enabled('cpu')
        and only_avx2()
    )


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = (stride, padding, dilation, False, (0, 0), 1)
        return torch.conv2d(x, weight, bias, stride, padding, dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        of_input, of_weight, of_bias = ctx.needs_input_grad[:3]
        own = BOTH[weight.is_contiguous(memory_format=torch.channels_last)]
        strided = max(ctx.geometry[0]) > 1
        result: list[Tensor | None] = [None] * 6
        if of_input:
            layout = torch.channels_last if strided else own
            result[0] = _gradient(ctx, (gradient, x, weight), layout, own, 0)
        if of_weight:
            result[1] = _gradient(ctx, (gradient, x, weight), torch.contiguous_format, own, 1)
        if of_bias:
            result[2] = gradient.sum((0, 2, 3))
        return tuple(result)


def _gradient(
    ctx: Any,
    tensors: tuple[Tensor, ...],
    layout: torch.memory_format,
    own: torch.memory_format,
    which: int,
) -> Tensor:
    """Return a gradient, computed in one layout and handed out in the network's own.

    Args:
        ctx: Knows the geometry.
        tensors: The output's gradient, the input, the weight.
        layout: The layout of the computation.
        own: The network's.
        which: 0 for the input's gradient, 1 for the weight's.
    """
    laid = [
        torch.empty_like(tensor, memory_format=layout)  # only its shape is read: nothing is copied
        if index == which + 1
        else tensor.contiguous(memory_format=layout)
        for index, tensor in enumerate(tensors)
    ]
    wanted = [which == 0, which == 1, False]
    found = torch.ops.aten.convolution_backward(*laid, None, *ctx.geometry, wanted)[which]
    return found.contiguous(memory_format=own)
