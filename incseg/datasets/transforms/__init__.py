from incseg.datasets.transforms.colour import ColourJitter
from incseg.datasets.transforms.cropping import CenterCrop, Pad, RandomCrop, RandomResizedCrop
from incseg.datasets.transforms.geometry import RandomFlip, RandomRotation
from incseg.datasets.transforms.loading import LoadImage, LoadLabels, LoadPseudoLabels
from incseg.datasets.transforms.packing import PackSegInputs
from incseg.datasets.transforms.resizing import RandomLongSide, RandomScale, Resize

__all__ = [
    'CenterCrop',
    'ColourJitter',
    'LoadImage',
    'LoadLabels',
    'LoadPseudoLabels',
    'PackSegInputs',
    'Pad',
    'RandomCrop',
    'RandomFlip',
    'RandomLongSide',
    'RandomResizedCrop',
    'RandomRotation',
    'RandomScale',
    'Resize',
]
