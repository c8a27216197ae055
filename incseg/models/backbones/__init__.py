from incseg.models.backbones.base_backbone import BaseBackbone
from incseg.models.backbones.batch_norm import BatchNorm
from incseg.models.backbones.bisenet import BiSeNet
from incseg.models.backbones.resnet import ResNet
from incseg.models.backbones.resnet38d import ResNet38d

__all__ = ['BaseBackbone', 'BatchNorm', 'BiSeNet', 'ResNet', 'ResNet38d']
