import pytest

from incseg.datasets import BackgroundCrops, NegativeFolder, OldModelLabels
from incseg.datasets.negatives import OldNetworkNegatives


def test_a_subclass_is_complete():
    """One that forgets to gather would leave the class without a negative, unnoticed."""
    with pytest.raises(TypeError, match='abstract.*gather.*look'):
        OldNetworkNegatives()


def test_who_needs_the_network():
    """The engine asks the type whether the step before has to be trained first."""
    assert issubclass(BackgroundCrops, OldNetworkNegatives)
    assert issubclass(OldModelLabels, OldNetworkNegatives)
    assert not issubclass(NegativeFolder, OldNetworkNegatives)
