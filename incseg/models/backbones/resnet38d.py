from pathlib import Path
from typing import Any

import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models.backbones.base_backbone import BaseBackbone
from incseg.models.backbones.pre_activation_block import PreActivationBlock
from incseg.models.backbones.pre_activation_bottleneck import PreActivationBottleneck
from incseg.models.backbones.resnet38d_weights import read_resnet38_weights
from incseg.registry import MODELS


@MODELS.register_module()
class ResNet38d(BaseBackbone):
    """The wide ResNet-38 of SEAM, 105 million weights, stride 8.

    Six stages of pre-activation blocks.  The heads read what lies between
    them after normalisation and ReLU: before the fourth stage, before the
    fifth, and after the last.

    Args:
        pretrained: Whether :meth:`init_weights` loads ``weights``.
        weights: ImageNet weights, made by ``tools/convert_resnet38_params.py``.
        norm_cfg: Normalisation of every layer.
        width: Channels of the first convolution; 64 as published.

    Attributes:
        out_channels: ``(512, 1024, 4096)`` as published, also the taps.
        stage_channels: Of the six stages.

    Source: Wu et al., "Wider or Deeper: Revisiting the ResNet Model for Visual
    Recognition", 2016, model A1; dilations and dropout as in SEAM.
    """

    def __init__(self, pretrained: bool = False, weights: str | None = None,
                 norm_cfg: dict | None = None, width: int = 64):
        super().__init__()
        norm = norm_cfg or dict(type='incseg.BN')
        self.pretrained, self.weights = pretrained, weights
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.stage2 = plain_stage(3, width, 2 * width, norm)
        self.stage3 = plain_stage(3, 2 * width, 4 * width, norm)
        self.stage4 = plain_stage(6, 4 * width, 8 * width, norm)
        self.stage5 = nn.Sequential(
            PreActivationBlock(8 * width, 8 * width, 16 * width, norm, dilations=(1, 2)),
            *(PreActivationBlock(16 * width, 8 * width, 16 * width, norm, dilations=(2, 2))
              for _ in range(2)))
        self.stage6 = nn.Sequential(
            PreActivationBottleneck(16 * width, 32 * width, norm, dilation=4, dropout_ratio=0.3))
        self.stage7 = nn.Sequential(
            PreActivationBottleneck(32 * width, 64 * width, norm, dilation=4, dropout_ratio=0.5))
        self.norm = build_norm_layer(norm, 64 * width)[1]
        self.stage_channels = tuple(factor * width for factor in (2, 4, 8, 16, 32, 64))
        self.out_channels = (8 * width, 16 * width, 64 * width)

    @property
    def tap_channels(self) -> tuple[int, ...]:
        """Of the maps of :meth:`forward`."""
        return self.out_channels

    def early_layers(self) -> tuple[nn.Module, ...]:
        """The stem and the first stage."""
        return self.stem, self.stage2

    def init_weights(self) -> None:
        """Load the ImageNet weights, if ``pretrained``.

        Raises:
            InvalidInputError: No file is named, or it is not of this network.
            MissingFileError: It is not there.
        """
        if not self.pretrained:
            return
        how = 'make it with tools/convert_resnet38_params.py, or train without: pretrained=False'
        if self.weights is None:
            raise InvalidInputError(
                f'ResNet38d is pretrained, but weights names no file; {how}')
        if not Path(self.weights).is_file():
            raise MissingFileError(f'no ImageNet weights at {self.weights}; {how}')
        state = read_resnet38_weights(self.weights)
        own = self.state_dict()
        wrong = [name for name in {**own, **state}
                 if name not in state and not name.endswith('num_batches_tracked')
                 or name not in own or name in state and own[name].shape != state[name].shape]
        if wrong:
            raise InvalidInputError(
                f'{self.weights} does not hold the weights of ResNet38d: {wrong[0]}; {how}')
        self.load_state_dict(state, strict=False)

    def taps(self, x: Tensor) -> tuple[Tensor, ...]:
        """The maps of :meth:`forward`."""
        return self(x)

    def forward_stages(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """``(N, 3, H, W)`` -> three activated maps at stride 8, and the six stages before it."""
        x = self.stem(x)
        maps, stages = [], []
        for stage in (self.stage2, self.stage3, self.stage4, self.stage5, self.stage6, self.stage7):
            blocks: list[Any] = list(stage)
            first, *others = blocks
            activated = first.activate(x)
            if stage in (self.stage5, self.stage6):
                maps.append(activated)
            x = first(x, activated)
            for block in others:
                x = block(x)
            stages.append(x)
        maps.append(F.relu(self.norm(x)))
        return tuple(maps), tuple(stages)


def plain_stage(blocks: int, in_channels: int, channels: int, norm: dict) -> nn.Sequential:
    """Blocks of one width, the first with stride 2."""
    return nn.Sequential(
        PreActivationBlock(in_channels, channels, channels, norm, stride=2),
        *(PreActivationBlock(channels, channels, channels, norm) for _ in range(blocks - 1)))
