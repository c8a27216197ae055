import pytest

from incseg.datasets.negatives import OldNetworkNegatives


class Nothing(OldNetworkNegatives):
    """What a subclass may leave as it is."""

    def look(self, label, confidence):
        return None

    def gather(self, dataset, indices, found):
        pass


def test_neither_classes_nor_images():
    """A remedy that adds classes needs no images, and the other way round."""
    nothing = Nothing()
    assert nothing.class_ids == () and len(nothing) == 0
    with pytest.raises(IndexError, match='Nothing has no image 0'):
        nothing.get_data_info(0)


def test_both_methods_are_needed():
    """One that forgets to gather would leave the class without a negative, unnoticed."""
    with pytest.raises(TypeError, match='abstract'):
        OldNetworkNegatives()
