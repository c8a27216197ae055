"""Negative examples for classes that every image of their step shows.

Without an image that does not show a class, image-level labels do not tell what it looks like.
"""

from incseg.datasets.negatives.negative_folder import NegativeFolder
from incseg.datasets.negatives.old_network import (
    BackgroundCrops,
    OldModelLabels,
    OldNetworkNegatives,
)

__all__ = ['BackgroundCrops', 'NegativeFolder', 'OldModelLabels', 'OldNetworkNegatives']
