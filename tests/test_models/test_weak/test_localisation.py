"""What a labeller hands to the segmentation network."""

import torch

from incseg.models.weak import Localisation


def test_nothing_is_taught_by_default():
    """If it fails, a labeller that only learns has to invent targets."""
    made = Localisation(dict(cls=torch.ones(())))
    assert made.targets is None and made.image_weight is None
    assert made.losses == dict(cls=torch.ones(()))
