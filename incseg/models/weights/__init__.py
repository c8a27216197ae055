from incseg.models.weights.files import read_weights
from incseg.models.weights.fitting import load_fitting
from incseg.models.weights.mmpretrain_names import timm_names
from incseg.models.weights.packages import PACKAGES, package_weights
from incseg.models.weights.torchvision_hub import torchvision_weights

__all__ = [
    'PACKAGES',
    'load_fitting',
    'package_weights',
    'read_weights',
    'timm_names',
    'torchvision_weights',
]
