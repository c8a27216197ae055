from incseg.models.backbones.base import BaseBackbone, BatchNorm
from incseg.models.backbones.bisenet import BiSeNet
from incseg.models.backbones.resnet import ResNet
from incseg.models.backbones.resnet38d import ResNet38d

__all__ = ['BaseBackbone', 'BatchNorm', 'BiSeNet', 'ResNet', 'ResNet38d']
