from incseg.models.backbones.batch_norm import BatchNorm
from incseg.models.backbones.bisenet import BiSeNet
from incseg.models.backbones.resnet import ResNet

__all__ = ['BatchNorm', 'BiSeNet', 'ResNet']
