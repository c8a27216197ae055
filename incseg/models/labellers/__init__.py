"""What replaces labels inside a training step."""
from incseg.models.labellers.entropy_pseudo_labeller import EntropyPseudoLabeller

__all__ = ['EntropyPseudoLabeller']
