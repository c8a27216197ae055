"""BatchNorms that hold the activation after them, as timm's do."""

from typing import Any

from torch import Tensor, nn

from incseg.models.backbones.base import BatchNorm

#: names of the modules that a norm applies after it has normalised, in their order
AFTER = ('drop', 'act')


class ActivatedBatchNorm(BatchNorm):
    """A BatchNorm, then dropout, then an activation, in one layer.

    Its weights have the names of timm's ``BatchNormAct2d``, whose place it takes.  What changes
    BatchNorms (folding, statistics of all processes) keeps :func:`after_norm`.
    """

    drop: nn.Module
    act: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and activate ``(N, C, H, W)``."""
        return self.act(self.drop(super().forward(x)))


def after_norm(norm: nn.Module) -> nn.Sequential | None:
    """Return what a BatchNorm does after it has normalised; None for nothing.

    Args:
        norm: A BatchNorm; one with modules ``drop`` and ``act``, as timm's, applies them.
    """
    parts = {
        name: part for name in AFTER if isinstance(part := getattr(norm, name, None), nn.Module)
    }
    if all(type(part) is nn.Identity for part in parts.values()):
        return None
    then = nn.Sequential()
    for name, part in parts.items():
        then.add_module(name, part)
    return then


def with_own_norms(net: nn.Module) -> nn.Module:
    """Replace torch's and timm's BatchNorms in a network, in place, by those of the library.

    These also train on a single value per channel.  Names, weights and statistics stay.
    """
    for name, child in net.named_children():
        if type(child) is nn.BatchNorm2d:
            setattr(net, name, taking_over(child, BatchNorm))
        elif isinstance(child, nn.BatchNorm2d) and type(child).__name__ == 'BatchNormAct2d':
            norm: Any = taking_over(child, ActivatedBatchNorm)
            norm.drop, norm.act = child.drop, child.act
            setattr(net, name, norm)
        else:
            with_own_norms(child)
    return net


def taking_over(norm: nn.BatchNorm2d, kind: type[BatchNorm]) -> BatchNorm:
    """Return a norm of another class with the parameters and statistics of a norm."""
    new = kind(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    new._parameters, new._buffers = norm._parameters, norm._buffers
    return new.train(norm.training)
