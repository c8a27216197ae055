from incseg.datasets.transforms.center_crop import CenterCrop
from incseg.datasets.transforms.colour_jitter import ColourJitter
from incseg.datasets.transforms.load_image import LoadImage
from incseg.datasets.transforms.load_labels import LoadLabels
from incseg.datasets.transforms.load_pseudo_labels import LoadPseudoLabels
from incseg.datasets.transforms.pack import PackSegInputs
from incseg.datasets.transforms.pad import Pad
from incseg.datasets.transforms.random_crop import RandomCrop
from incseg.datasets.transforms.random_flip import RandomFlip
from incseg.datasets.transforms.random_long_side import RandomLongSide
from incseg.datasets.transforms.random_resized_crop import RandomResizedCrop
from incseg.datasets.transforms.random_rotation import RandomRotation
from incseg.datasets.transforms.random_scale import RandomScale
from incseg.datasets.transforms.resize import Resize

__all__ = [
    'CenterCrop', 'ColourJitter', 'LoadImage', 'LoadLabels', 'LoadPseudoLabels', 'PackSegInputs',
    'Pad', 'RandomCrop', 'RandomFlip', 'RandomLongSide', 'RandomResizedCrop', 'RandomRotation',
    'RandomScale', 'Resize',
]
