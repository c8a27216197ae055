import torch

from incseg.registry import MODELS


def test_nothing_changes():
    """The default must not even copy."""
    scores = torch.rand(3, 4, 5)
    refinement = MODELS.build(dict(type='NoRefinement'))
    assert refinement.refine(torch.zeros(3, 4, 5, dtype=torch.uint8), scores) is scores
