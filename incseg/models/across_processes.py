"""Layers that compute over the batch of all processes, so that their number does not matter."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from incseg.models.backbones.activated_norm import AFTER, after_norm
from incseg.utils.precision import at_least_float32

Module = TypeVar('Module', bound=nn.Module)

#: torch's layers -> whether they drop whole channels
DROPOUTS = {nn.Dropout: False, nn.Dropout1d: True, nn.Dropout2d: True, nn.Dropout3d: True}


class SharedDropout(_DropoutNd):
    """Dropout whose mask is drawn for the batch of all processes; each takes its part.

    Every process must be at the same state of torch's random numbers.  The batch's images are
    those of process 0, then of process 1, and so on, the same number in each.

    Args:
        p: Probability of dropping a value.
        channels: Whether whole channels are dropped, as :class:`torch.nn.Dropout2d` does.
    """

    def __init__(self, p: float, channels: bool):
        super().__init__(p)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """In training mode drop values of ``(N, C, …)``; scale the others by ``1 / (1 - p)``."""
        if not self.training or self.p == 0:
            return x
        size = [get_world_size() * x.shape[0], *x.shape[1:]]
        if self.channels:
            size[2:] = [1] * (x.dim() - 2)
        kept = x.new_empty(size).bernoulli_(1 - self.p)
        first = get_rank() * x.shape[0]
        return x * kept[first : first + x.shape[0]].div_(max(1 - self.p, 1e-12))


class ProcessSum(torch.autograd.Function):
    """The sum of a tensor over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm(_BatchNorm):
    """BatchNorm with the statistics of the batch of all processes, on any device.

    torch's SyncBatchNorm needs GPUs; this one uses differentiable sums over the processes.
    Where a channel has one value in all, the running statistics are used, as in evaluation.
    ``drop`` and ``act``, if it has them, are applied to the result (:func:`after_norm`).
    """

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any ``(N, C, …)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N, C, …)``; in training mode by the batch of all processes."""
        return then(self, self._normalised(x))

    def _normalised(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = at_least_float32(x)
        axes = [0, *range(2, x.dim())]
        count = values.new_tensor([x.numel() / x.shape[1]])
        sums = ProcessSum.apply(torch.cat([values.sum(axes), count]))
        n = sums[-1].detach()
        if n <= 1:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        shape = [1, -1, *[1] * (x.dim() - 2)]
        mean = sums[:-1] / n
        centred = values - mean.view(shape)
        var = ProcessSum.apply(centred.square().sum(axes)) / n
        self._update(mean.detach(), var.detach() * n / (n - 1))
        result = centred * (var + self.eps).rsqrt().view(shape)
        if self.affine:
            result = result * self.weight.view(shape) + self.bias.view(shape)
        return result.to(x.dtype)

    def _update(self, mean: Tensor, var: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(var.to(self.running_var.dtype), momentum)


def share_dropout(network: Module) -> Module:
    """Replace torch's dropout layers in a network, in place, by :class:`SharedDropout`."""

    def shared(module: nn.Module) -> nn.Module | None:
        channels = DROPOUTS.get(type(module))  # type: ignore[arg-type]
        return None if channels is None else SharedDropout(module.p, channels)  # type: ignore

    return replace(network, shared)


def share_batch_norm(network: Module, kind: type[_BatchNorm] = _BatchNorm) -> Module:
    """Replace the BatchNorms in a network, in place, by :class:`SharedBatchNorm`.

    Their parameters and running statistics are taken over.

    Args:
        network: The network.
        kind: The class of those that are replaced; by default every BatchNorm.
    """

    def shared(module: nn.Module) -> nn.Module | None:
        if not isinstance(module, kind) or isinstance(module, SharedBatchNorm):
            return None
        new = SharedBatchNorm(
            module.num_features,
            module.eps,
            module.momentum,
            module.affine,
            module.track_running_stats,
        )
        return taking_over(new, module)

    return replace(network, shared)


class SyncActivatedBatchNorm(nn.SyncBatchNorm):
    """torch's SyncBatchNorm, then what the norm that it replaces did after it had normalised."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and activate ``(N, C, H, W)``."""
        return then(self, super().forward(x))


def sync_batch_norm(network: Module) -> Module:
    """Replace the BatchNorms in a network, in place, by torch's SyncBatchNorm, for GPUs.

    Unlike torch's own conversion it keeps the activations that norms hold.
    """

    def synchronised(module: nn.Module) -> nn.Module | None:
        if not isinstance(module, _BatchNorm) or isinstance(module, nn.SyncBatchNorm):
            return None
        kind = nn.SyncBatchNorm if after_norm(module) is None else SyncActivatedBatchNorm
        new = kind(
            module.num_features,
            module.eps,
            module.momentum,
            module.affine,
            module.track_running_stats,
        )
        return taking_over(new, module)

    return replace(network, synchronised)


def taking_over(new: _BatchNorm, norm: _BatchNorm) -> _BatchNorm:
    """Give a norm the parameters and statistics of another, and what that one does afterwards."""
    new._parameters, new._buffers = norm._parameters, norm._buffers
    for name, part in (after_norm(norm) or nn.Sequential()).named_children():
        setattr(new, name, part)
    return new


def then(norm: nn.Module, x: Tensor) -> Tensor:
    """Apply what a norm does after it has normalised, if anything."""
    for name in AFTER:
        x = getattr(norm, name, identity)(x)
    return x


def identity(x: Tensor) -> Tensor:
    """Return a tensor as it is."""
    return x


def replace(network: Module, other: Callable[[nn.Module], nn.Module | None]) -> Module:
    """Replace the modules inside a network, in place.

    Args:
        network: The network.
        other: Returns what replaces a module, which gets its training mode; None keeps it.
    """
    for name, child in network.named_children():
        new = other(child)
        if new is None:
            replace(child, other)
        else:
            setattr(network, name, new.train(child.training))
    return network


def norms_of_each_process(network: nn.Module) -> int:
    """Count the BatchNorms that use the batch of one process, and are trained.

    Args:
        network: The network in training mode.
    """
    shared = (SharedBatchNorm, nn.SyncBatchNorm)
    return sum(
        isinstance(module, _BatchNorm) and not isinstance(module, shared) and module.training
        for module in network.modules()
    )
