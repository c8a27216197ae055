"""Target labellers: they replace labels inside a training step."""

from incseg.models.labellers.base import BaseLabeller, Localisation
from incseg.models.labellers.entropy import EntropyPseudoLabeller

__all__ = ['BaseLabeller', 'EntropyPseudoLabeller', 'Localisation']
