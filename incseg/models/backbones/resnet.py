"""torchvision's ResNet as a backbone."""

from functools import partial
from typing import Any

import torch.nn.functional as F
import torchvision
from mmcv.cnn import build_norm_layer
from mmengine.logging import print_log
from torch import Tensor, nn

from incseg.models.backbones.base import BaseBackbone
from incseg.models.weights import load_fitting, read_weights, torchvision_weights
from incseg.registry import MODELS
from incseg.utils.rules import SWITCH, any_of, checked, expected

WEIGHTS = {
    18: 'ResNet18_Weights.IMAGENET1K_V1',
    34: 'ResNet34_Weights.IMAGENET1K_V1',
    50: 'ResNet50_Weights.IMAGENET1K_V1',
    101: 'ResNet101_Weights.IMAGENET1K_V1',
}
STRIDES = (4, 8, 16, 32)


@MODELS.register_module()
class ResNet(BaseBackbone):
    """torchvision's ResNet without its classifier; its stages are the maps.

    Args:
        depth: 18, 34, 50 or 101.
        pretrained: Whether :meth:`init_weights` loads torchvision's ImageNet
            weights (``IMAGENET1K_V1``), downloading them the first time.  A path: a file with
            weights of this network, from torchvision, timm or mmpretrain.
        norm_cfg: Normalisation of every layer.
        output_stride: Stride of the deepest map, 4, 8, 16 or 32.  Where a
            stage is not strided, dilation takes its place, so that the same
            weights see the same surroundings of a pixel.
        num_stages: Number of stages, 3 or 4; without the last one a pixel of the
            deepest map sees half as far.
        dilate_first: Whether the convolution that had the stride is dilated as far as those
            after it, as in segmentation_models.pytorch.

    Attributes:
        out_channels: Channels of the maps, one per stage.
        strides: Strides of the maps: 4, 8, 16 and 32, none above ``output_stride``.
        weights_source: Where :meth:`init_weights` had the weights from; None for nowhere.

    Raises:
        InvalidInputError: If ``depth``, ``output_stride`` or ``num_stages`` is not allowed.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
    """

    weights_source: str | None = None

    def __init__(
        self,
        depth: int,
        pretrained: bool | str = False,
        norm_cfg: dict | None = None,
        output_stride: int = 32,
        num_stages: int = 4,
        dilate_first: bool = False,
    ):
        super().__init__()
        if depth not in WEIGHTS:
            raise expected('ResNet depth', depth, any_of(sorted(WEIGHTS)))
        if output_stride not in STRIDES:
            raise expected('ResNet output_stride', output_stride, any_of(STRIDES))
        checked('ResNet dilate_first', dilate_first, SWITCH)
        if num_stages not in (3, 4):
            raise expected('ResNet num_stages', num_stages, '3 or 4')
        self.depth = depth
        self.pretrained = pretrained
        norm = partial(_norm_layer, norm_cfg or dict(type='incseg.BN'))
        net = getattr(torchvision.models, f'resnet{depth}')(weights=None, norm_layer=norm)
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2 = net.layer1, net.layer2
        self.layer3 = net.layer3
        self.layer4 = net.layer4 if num_stages == 4 else None
        expansion = 1 if depth < 50 else 4
        self.out_channels = tuple(expansion * c for c in (64, 128, 256, 512)[:num_stages])
        self.stage_channels = self.out_channels
        self.strides = tuple(min(stride, output_stride) for stride in STRIDES[:num_stages])
        for stage, stride in zip(self.stages(), STRIDES):
            if stride > output_stride:
                dilate(stage, stride // output_stride, dilate_first)

    def stages(self) -> list[nn.Sequential]:
        """Return the residual stages, shallow to deep."""
        return [
            stage
            for stage in (self.layer1, self.layer2, self.layer3, self.layer4)
            if stage is not None
        ]

    def early_layers(self) -> tuple[nn.Module, ...]:
        """Return the first convolution, its norm and the first stage; fine-tuning skips them."""
        return self.conv1, self.bn1, self.layer1

    def init_weights(self) -> None:
        """Load the ImageNet weights, if ``pretrained``.

        Raises:
            MissingFileError: If they are not there and cannot be downloaded.
            InvalidInputError: If the file is of another network.
        """
        if not self.pretrained:
            return
        name = f'ResNet{self.depth}'
        if isinstance(self.pretrained, str):
            state, source = read_weights(self.pretrained), f'the file {self.pretrained}'
        else:
            state, source = torchvision_weights(torchvision.models.get_weight(WEIGHTS[self.depth]))
        # another norm than BatchNorm has no running statistics: those keys stay behind
        load_fitting(self, state, source, name)
        self.weights_source = source
        print_log(f'{name} starts from {source}', 'current')

    def forward_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of the stages.

        Args:
            x: ``(N, 3, H, W)``, normalised.

        Returns:
            Each ``(N, C_i, h_i, w_i)``, by default at strides 4, 8, 16 and 32.
        """
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps = []
        for stage in self.stages():
            x = stage(x)
            maps.append(x)
        return tuple(maps)

    def forward_stages(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the maps after and before their last ReLU, see :class:`BaseBackbone`."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps, sums = [], []
        for stage in self.stages():
            *blocks, last = stage
            for block in blocks:
                x = block(x)
            sums.append(before_relu(last, x))
            x = F.relu(sums[-1])
            maps.append(x)
        return tuple(maps), tuple(sums)


def before_relu(block: nn.Module, x: Tensor) -> Tensor:
    """Run a residual block of torchvision's ResNet without its last ReLU.

    Args:
        block: A ``BasicBlock`` or ``Bottleneck``.
        x: ``(N, C, h, w)``; not changed.

    Returns:
        The sum of branch and short cut, ``(N, C', h', w')``.
    """
    shortcut = x if block.downsample is None else block.downsample(x)  # type: ignore[operator]
    layers = [(block.conv1, block.bn1), (block.conv2, block.bn2)]
    if hasattr(block, 'conv3'):
        layers.append((block.conv3, block.bn3))
    for conv, norm in layers[:-1]:
        x = block.relu(norm(conv(x)))  # type: ignore[operator]
    conv, norm = layers[-1]
    return norm(conv(x)) + shortcut  # type: ignore[operator]


def dilate(stage: nn.Module, dilation: int, first: bool = False) -> None:
    """Replace the stride of a stage by dilation in place, so that each weight sees the same place.

    The convolution that had the stride reads a map that is ``dilation / 2``
    times as fine as before; all others read one that is ``dilation`` times as fine.

    Args:
        stage: A residual stage.
        dilation: Factor by which the stage's result gets finer, 2 or a higher power of 2.
        first: Whether the convolution that had the stride is dilated by the whole factor too.
    """
    for conv in stage.modules():
        if isinstance(conv, nn.Conv2d):
            strided = conv.stride[0] > 1
            conv.stride = (1, 1)
            if conv.kernel_size[0] > 1:
                own = dilation // 2 if strided and not first else dilation
                conv.dilation = (own, own)
                conv.padding = tuple(own * (side - 1) // 2 for side in conv.kernel_size)


def _norm_layer(cfg: dict[str, Any], channels: int) -> nn.Module:
    return build_norm_layer(cfg, channels)[1]
