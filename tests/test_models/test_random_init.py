"""The random start of new classifiers."""

import pytest
import torch

from incseg.models import GrowingClassifier
from incseg.registry import MODELS


@pytest.mark.parametrize('std', [0.01, 0.5])
def test_only_the_newest_classifier(std):
    """If it fails, old classes are lost, or new ones start at another scale than asked."""
    classifier = GrowingClassifier(2048, [3, 4, 5])
    for parameter in classifier.parameters():
        torch.nn.init.constant_(parameter, 7.0)
    MODELS.build(dict(type='RandomInit', std=std))(classifier)
    *old, new = classifier.convs
    assert all((parameter == 7).all() for conv in old for parameter in conv.parameters())
    assert not new.state_dict()['bias'].any()
    assert new.weight.mean().item() == pytest.approx(0, abs=std / 20)
    assert new.weight.std().item() == pytest.approx(std, rel=0.05)
