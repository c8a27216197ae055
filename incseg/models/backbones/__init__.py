from incseg.models.backbones.base import BaseBackbone, BatchNorm
from incseg.models.backbones.bisenet import BiSeNet
from incseg.models.backbones.encoder import Encoder
from incseg.models.backbones.resnet import ResNet
from incseg.models.backbones.resnet38d import ResNet38d
from incseg.models.backbones.scoped_backbone import ScopedBackbone
from incseg.models.backbones.timm_backbone import TimmBackbone
from incseg.models.backbones.torchvision_backbone import TorchvisionBackbone

__all__ = [
    'BaseBackbone',
    'BatchNorm',
    'BiSeNet',
    'Encoder',
    'ResNet',
    'ResNet38d',
    'ScopedBackbone',
    'TimmBackbone',
    'TorchvisionBackbone',
]
