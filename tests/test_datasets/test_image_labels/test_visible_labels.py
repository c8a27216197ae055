import numpy as np
import pytest

from incseg.datasets import visible_labels
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol

PROTOCOL = Protocol(4, 2, 1, class_order=(3, 1, 4, 2))
LABELS = np.ones((2, 5), np.bool_)


def test_only_new_classes_are_visible():
    """Worked example: order 3, 1 | 4 | 2.  An old or future class that stays visible would be
    supervision which the setting does not allow."""
    assert visible_labels(LABELS, PROTOCOL, 0).astype(int).tolist() == [[1, 1, 0, 1, 0]] * 2
    assert visible_labels(LABELS, PROTOCOL, 1).astype(int).tolist() == [[1, 0, 0, 0, 1]] * 2
    assert LABELS.all()
    assert not visible_labels(~LABELS, PROTOCOL, 1).any()


def test_scope_all_is_a_copy():
    """Everything stays; what the caller does with it does not reach the data set's labels."""
    rows = visible_labels(LABELS, PROTOCOL, 1, 'all')
    assert rows.all() and not np.shares_memory(rows, LABELS)
    with pytest.raises(InvalidInputError, match="scope is 'new'; allowed are all, step"):
        visible_labels(LABELS, PROTOCOL, 1, 'new')
