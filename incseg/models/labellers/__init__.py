"""What replaces labels inside a training step."""

from incseg.models.labellers.entropy import EntropyPseudoLabeller

__all__ = ['EntropyPseudoLabeller']
