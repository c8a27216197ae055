from torch import Tensor

from incseg.errors import InvalidInputError
from incseg.models.backbones.base_backbone import BaseBackbone
from incseg.models.backbones.context_path import ContextPath
from incseg.models.backbones.feature_fusion import FeatureFusion
from incseg.models.backbones.resnet import ResNet
from incseg.models.backbones.spatial_path import SpatialPath
from incseg.registry import MODELS

#: width -> (spatial path's four convolutions, context path, fused map)
WIDTHS = {
    'narrow': ((64, 64, 64, 128), 128, 256),
    'wide': ((256, 256, 256, 512), 512, 1024),
}


@MODELS.register_module()
class BiSeNet(BaseBackbone):
    """BiSeNet (ECCV 2018): a shallow spatial path beside a deep context path.

    Args:
        depth: Depth of the context path's ResNet: 18, 50 or 101 (34 works too).
        width: ``'narrow'`` (the paths of BiSeNet-R18 for every depth; R101
            costs 47 GMAC at 512x512) or ``'wide'`` (four times the channels,
            as mmsegmentation's R50 and R101 have; 118 GMAC).
        pretrained: Whether the ResNet starts from ImageNet weights.
        norm_cfg: Normalisation of every layer.

    Attributes:
        out_channels: Channels of the three maps that heads read,
            the deep context, the finer context and, last, the fused map.
        stage_channels: Of the context path's four residual stages.
    """

    def __init__(
        self,
        depth: int = 18,
        width: str = 'narrow',
        pretrained: bool = False,
        norm_cfg: dict | None = None,
    ):
        super().__init__()
        if width not in WIDTHS:
            raise InvalidInputError(f'BiSeNet width is {width!r}, allowed: {sorted(WIDTHS)}')
        norm_cfg = norm_cfg or dict(type='incseg.BN')
        spatial, context, fused = WIDTHS[width]
        self.spatial_path = SpatialPath(spatial, norm_cfg)
        self.context_path = ContextPath(ResNet(depth, pretrained, norm_cfg), context, norm_cfg)
        self.fusion = FeatureFusion(spatial[-1] + context, fused, norm_cfg)
        self.out_channels = (context, context, fused)
        self.stage_channels = self.context_path.resnet.stage_channels

    def init_weights(self) -> None:
        """Load the ResNet's ImageNet weights, if ``pretrained``."""
        self.context_path.resnet.init_weights()

    def forward_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """``(N, 3, H, W)``, any size -> maps at strides 16, 8 and 8, sizes rounded up."""
        deep, fine = self.context_path(x)
        return deep, fine, self.fusion(self.spatial_path(x), fine)

    def forward_stages(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The three maps, and the context path's four residual stages."""
        (deep, fine), stages = self.context_path.forward_stages(x)
        return (deep, fine, self.fusion(self.spatial_path(x), fine)), stages
