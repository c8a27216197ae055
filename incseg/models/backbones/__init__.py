from incseg.models.backbones.base_backbone import BaseBackbone
from incseg.models.backbones.batch_norm import BatchNorm
from incseg.models.backbones.bisenet import BiSeNet
from incseg.models.backbones.resnet import ResNet

__all__ = ['BaseBackbone', 'BatchNorm', 'BiSeNet', 'ResNet']
