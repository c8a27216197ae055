"""Learning from image-level labels."""

from incseg.models.weak.online_localiser import Localisation, OnlineLocaliser
from incseg.models.weak.seam import SEAM
from incseg.models.weak.seam_head import SEAMHead

__all__ = ['Localisation', 'OnlineLocaliser', 'SEAM', 'SEAMHead']
