import inspect
from abc import ABC, abstractmethod
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.registry import MODELS


class BaseBackbone(nn.Module, ABC):
    """What heads and methods may ask of a backbone; a new one gets every method.

    A subclass sets the two attributes and implements :meth:`forward_stages`;
    the other methods have defaults.  A segmentor calls the backbone itself,
    ``backbone(x)`` or ``backbone(x, stages=True)``, never its methods, so that
    hooks and compilation reach every pass.

    Attributes:
        out_channels: Channels of the maps that heads read, the map of most use
            last.
        stage_channels: Channels of the maps between, see :meth:`forward_stages`.
    """

    out_channels: tuple[int, ...]
    stage_channels: tuple[int, ...]

    @property
    def tap_channels(self) -> tuple[int, ...]:
        """Channels of the three maps of :meth:`taps`."""
        return self.stage_channels[-3:]

    def taps(self, x: Tensor) -> tuple[Tensor, ...]:
        """``(N, 3, H, W)`` -> three activated maps, shallow to deep, each ``(N, C_i, h_i, w_i)``.

        What class activation maps and their refinement read (SEAM); by default
        the last three residual stages.
        """
        return tuple(F.relu(stage) for stage in self.forward_stages(x)[1][-3:])

    def early_layers(self) -> tuple[nn.Module, ...]:
        """What stays as ImageNet left it in fine-tuning (see :class:`SEAM`); none by default."""
        return ()

    def init_weights(self) -> None:
        """Load pretrained weights, where there are some and they are wanted."""

    def norm_layers(self) -> tuple[nn.Module, ...]:
        """The layers that keep running statistics of their input; every BatchNorm by default.

        What a method holds still that must not learn from a few images of new
        classes (``frozen=['backbone_norm']``, :class:`SEAM`).
        """
        return tuple(module for module in self.modules() if isinstance(module, _BatchNorm))

    def forward(self, x: Tensor, stages: bool = False) -> Any:
        """The maps that heads read, and on demand the stages between.

        Args:
            x: ``(N, 3, H, W)``.
            stages: Whether :meth:`forward_stages` is asked, not :meth:`forward_maps`.
        """
        return self.forward_stages(x) if stages else self.forward_maps(x)

    def forward_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """``(N, 3, H, W)`` -> the maps that heads read, each ``(N, C_i, h_i, w_i)``.

        By default those of :meth:`forward_stages`; worth a way of its own where
        that one costs more.
        """
        return self.forward_stages(x)[0]

    @abstractmethod
    def forward_stages(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """One pass that also hands out what lies between.

        Returns:
            The maps of :meth:`forward_maps`, and one map per residual stage, shallow
            to deep: what its last block adds up, before the activation.  Terms
            that compare networks layer by layer (PLOP's pooled distillation)
            read these.
        """


def hands_out_stages(backbone: nn.Module) -> bool:
    """Whether a backbone, maybe no :class:`BaseBackbone`, understands ``stages=True``."""
    return 'stages' in inspect.signature(backbone.forward).parameters


def no_stages(backbone: nn.Module) -> str:
    """What to say of one that does not."""
    return (
        f"the backbone's residual stages, which {type(backbone).__name__} does not offer: "
        'its forward() has no argument stages, see BaseBackbone'
    )


@MODELS.register_module('BN')
class BatchNorm(nn.BatchNorm2d):
    """BatchNorm that also trains on a single value per channel.

    One value has no variance (torch refuses it).  It occurs with a batch of
    one after global pooling, or at stride 32 of a small image; then the
    running statistics serve, as in evaluation.
    """

    _abbr_ = 'bn'

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` -> the same."""
        if not self.training or x.numel() > x.shape[1] or not self.track_running_stats:
            return super().forward(x)
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=False,
            eps=self.eps,
        )
