"""Remedies for a class that every image of its step shows: nothing tells what it looks like."""

from incseg.datasets.negatives.negative_folder import NegativeFolder
from incseg.datasets.negatives.old_network import (
    BackgroundCrops,
    OldModelLabels,
    OldNetworkNegatives,
)

__all__ = ['BackgroundCrops', 'NegativeFolder', 'OldModelLabels', 'OldNetworkNegatives']
