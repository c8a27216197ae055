"""SEAM's wide ResNet-38: the network, its blocks and its file of weights."""

import os
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models.backbones.base import BaseBackbone
from incseg.registry import MODELS
from incseg.utils.tensor_files import read_verified


@MODELS.register_module()
class ResNet38d(BaseBackbone):
    """The wide ResNet-38 of SEAM, 105 million weights, stride 8.

    Six stages of pre-activation blocks.  The heads read three normalised and
    activated maps: the inputs of ``stage5`` and ``stage6``, and the last output.

    Args:
        pretrained: Whether :meth:`init_weights` loads ``weights``.
        weights: File of ImageNet weights, written by ``incseg convert-resnet38-params``.
        norm_cfg: Normalisation of every layer.
        width: Channels of the first convolution; 64 as published.

    Attributes:
        out_channels: ``(512, 1024, 4096)`` as published, also those of :meth:`cam_stages`.
        stage_channels: Channels of the six stages.

    Source: Wu et al., "Wider or Deeper: Revisiting the ResNet Model for Visual
    Recognition", 2016, model A1; dilations and dropout as in SEAM.
    """

    def __init__(
        self,
        pretrained: bool = False,
        weights: str | None = None,
        norm_cfg: dict | None = None,
        width: int = 64,
    ):
        super().__init__()
        norm = norm_cfg or dict(type='incseg.BN')
        self.pretrained, self.weights = pretrained, weights
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.stage2 = plain_stage(3, width, 2 * width, norm)
        self.stage3 = plain_stage(3, 2 * width, 4 * width, norm)
        self.stage4 = plain_stage(6, 4 * width, 8 * width, norm)
        self.stage5 = nn.Sequential(
            PreActivationBlock(8 * width, 8 * width, 16 * width, norm, dilations=(1, 2)),
            *(
                PreActivationBlock(16 * width, 8 * width, 16 * width, norm, dilations=(2, 2))
                for _ in range(2)
            ),
        )
        self.stage6 = nn.Sequential(
            PreActivationBottleneck(16 * width, 32 * width, norm, dilation=4, dropout_ratio=0.3)
        )
        self.stage7 = nn.Sequential(
            PreActivationBottleneck(32 * width, 64 * width, norm, dilation=4, dropout_ratio=0.5)
        )
        self.norm = build_norm_layer(norm, 64 * width)[1]
        self.stage_channels = tuple(factor * width for factor in (2, 4, 8, 16, 32, 64))
        self.out_channels = (8 * width, 16 * width, 64 * width)

    @property
    def cam_stage_channels(self) -> tuple[int, ...]:
        """Channels of the three maps of :meth:`cam_stages`, here those of :meth:`forward`."""
        return self.out_channels

    def early_layers(self) -> tuple[nn.Module, ...]:
        """Return the first convolution and ``stage2``, the first stage; fine-tuning skips them."""
        return self.stem, self.stage2

    def init_weights(self) -> None:
        """Load the ImageNet weights, if ``pretrained``.

        Raises:
            InvalidInputError: If no file is named, or the file is of another network.
            MissingFileError: If there is no such file.
        """
        if not self.pretrained:
            return
        how = 'make it with incseg convert-resnet38-params, or train without: pretrained=False'
        if self.weights is None:
            raise InvalidInputError(f'ResNet38d is pretrained, but weights names no file; {how}')
        if not Path(self.weights).is_file():
            raise MissingFileError(f'no ImageNet weights at {self.weights}; {how}')
        state = read_resnet38_weights(self.weights)
        own = self.state_dict()
        wrong = [
            name
            for name in {**own, **state}
            if name not in state
            and not name.endswith('num_batches_tracked')
            or name not in own
            or name in state
            and own[name].shape != state[name].shape
        ]
        if wrong:
            raise InvalidInputError(
                f'{self.weights} does not hold the weights of ResNet38d: {wrong[0]}; {how}'
            )
        self.load_state_dict(state, strict=False)

    def cam_stages(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the three maps that heads read, see :meth:`BaseBackbone.cam_stages`."""
        return self(x)

    def forward_stages(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the three maps that heads read and the six stages, see :class:`BaseBackbone`.

        The maps are normalised and activated; the stages are the sums that the blocks return.
        """
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
    """Build a stage of :class:`PreActivationBlock` with one number of channels.

    Args:
        blocks: Number of blocks, at least 1; the first has stride 2.
        in_channels: Channels of the input.
        channels: Channels between and after the blocks.
        norm: Config of the normalisation.
    """
    return nn.Sequential(
        PreActivationBlock(in_channels, channels, channels, norm, stride=2),
        *(PreActivationBlock(channels, channels, channels, norm) for _ in range(blocks - 1)),
    )


class PreActivationBlock(nn.Module):
    """Two 3x3 convolutions, each after normalisation and ReLU, and a short cut.

    The short cut is a 1x1 convolution of the activated input where the shape
    changes, else the input itself.

    Args:
        in_channels: Channels of the input.
        hidden: Channels between the two convolutions.
        out_channels: Channels of the result.
        norm_cfg: Normalisation.
        stride: Stride of the first convolution.
        dilations: Dilations of the two convolutions.

    Source: He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016.
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        out_channels: int,
        norm_cfg: dict,
        stride: int = 1,
        dilations: tuple[int, int] = (1, 1),
    ):
        super().__init__()
        first, second = dilations
        self.norm1 = build_norm_layer(norm_cfg, in_channels)[1]
        self.conv1 = nn.Conv2d(
            in_channels, hidden, 3, stride, padding=first, dilation=first, bias=False
        )
        self.norm2 = build_norm_layer(norm_cfg, hidden)[1]
        self.conv2 = nn.Conv2d(hidden, out_channels, 3, padding=second, dilation=second, bias=False)
        self.shortcut = (
            None
            if in_channels == out_channels and stride == 1
            else nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        )

    def activate(self, x: Tensor) -> Tensor:
        """Return what both branches read: the input after normalisation and ReLU.

        Args:
            x: ``(N, in_channels, h, w)``; not changed.

        Returns:
            ``(N, in_channels, h, w)``.
        """
        return F.relu(self.norm1(x))

    def forward(self, x: Tensor, activated: Tensor | None = None) -> Tensor:
        """Return the sum of branch and short cut, ``(N, out_channels, h', w')``.

        Args:
            x: ``(N, in_channels, h, w)``.
            activated: The result of :meth:`activate` for ``x`` if it is known; None computes it.
        """
        activated = self.activate(x) if activated is None else activated
        branch = self.conv2(F.relu(self.norm2(self.conv1(activated))))
        return branch + (x if self.shortcut is None else self.shortcut(activated))


class PreActivationBottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution, each after normalisation and ReLU, and a 1x1 short cut.

    Dropout drops whole channels before the second and the third convolution.  The three
    convolutions return a quarter, half and all of ``out_channels``.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result.
        norm_cfg: Config of the normalisation.
        dilation: Dilation of the 3x3 convolution.
        dropout_ratio: Share of the channels that are dropped.

    Source: Wu et al., "Wider or Deeper", 2016 (the last two blocks of model A1).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        norm_cfg: dict,
        dilation: int = 1,
        dropout_ratio: float = 0.0,
    ):
        super().__init__()
        quarter, half = out_channels // 4, out_channels // 2
        self.norm1 = build_norm_layer(norm_cfg, in_channels)[1]
        self.conv1 = nn.Conv2d(in_channels, quarter, 1, bias=False)
        self.norm2 = build_norm_layer(norm_cfg, quarter)[1]
        self.conv2 = nn.Conv2d(quarter, half, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm3 = build_norm_layer(norm_cfg, half)[1]
        self.conv3 = nn.Conv2d(half, out_channels, 1, bias=False)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.dropout = nn.Dropout2d(dropout_ratio)

    def activate(self, x: Tensor) -> Tensor:
        """Return what both branches read: the input after normalisation and ReLU.

        Args:
            x: ``(N, in_channels, h, w)``; not changed.

        Returns:
            ``(N, in_channels, h, w)``.
        """
        return F.relu(self.norm1(x))

    def forward(self, x: Tensor, activated: Tensor | None = None) -> Tensor:
        """Return the sum of branch and short cut, ``(N, out_channels, h', w')``.

        Args:
            x: ``(N, in_channels, h, w)``.
            activated: The result of :meth:`activate` for ``x`` if it is known; None computes it.
        """
        activated = self.activate(x) if activated is None else activated
        branch = self.dropout(F.relu(self.norm2(self.conv1(activated))))
        branch = self.dropout(F.relu(self.norm3(self.conv2(branch))))
        return self.conv3(branch) + self.shortcut(activated)


def read_resnet38_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """Read a file of weights that ``incseg convert-resnet38-params`` wrote.

    Args:
        path: The file; it has to exist.

    Returns:
        Tensors on the CPU by their names in the network's ``state_dict``.

    Raises:
        MissingFileError: If there is no such file.
        InvalidInputError: If the file is damaged, or holds more than tensors.
    """
    try:
        state, _ = read_verified(path)
    except InvalidInputError as error:
        raise InvalidInputError(
            f'{path} is damaged, or no file of weights from incseg convert-resnet38-params'
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InvalidInputError(f'{path} holds other things than tensors by name')
    return state
