"""A VOC-shaped data set whose masks, by hand, show known classes."""

import pytest

from incseg.datasets import VOCDataset

MASKS = {'a': [[0, 1, 255]], 'b': [[15, 15, 0]], 'c': [[0, 255, 0]]}


@pytest.fixture
def voc(make_voc):
    return VOCDataset(str(make_voc(train_aug=MASKS)), 'train_aug')


@pytest.fixture
def shown():
    """Dataset ids that are true in each row of labels."""
    return lambda rows: [[int(i) for i in row.nonzero()[0]] for row in rows]
