import pytest

from incseg.evaluation.conventions import convention_means, forgetting

IOU = {'background': 90.0, 'a': 60.0, 'b': 40.0, 'c': 20.0, 'd': None}


def test_three_conventions():
    """The conventions differ only in where background counts; papers mix them up."""
    means = convention_means(IOU, ['a', 'b'], ['c', 'd', 'e'])
    assert means['mib'] == pytest.approx({'base': 50.0, 'added': 20.0, 'all': 40.0})
    assert means['plop'] == pytest.approx({'base': 190 / 3, 'added': 20.0, 'all': 52.5})
    assert means['wilson'] == pytest.approx({'base': 50.0, 'added': 20.0, 'all': 52.5})


def test_nothing_added_yet():
    """At step 0 there is no added mean: null, not 0."""
    means = convention_means({'background': 1.0, 'a': 2.0}, ['a'], ['b'])
    assert means['mib'] == {'base': 2.0, 'added': None, 'all': 2.0}


def test_joint_row_of_the_published_table():
    """(15 * 79.1 + 5 * 72.6) / 20 = 77.5: 'all' is a mean over classes, not of two columns."""
    base, added = [f'o{i}' for i in range(15)], [f'n{i}' for i in range(5)]
    iou = {'background': 0.0, **dict.fromkeys(base, 79.1), **dict.fromkeys(added, 72.6)}
    means = convention_means(iou, base, added)
    assert means['mib']['all'] == pytest.approx(77.475)


def test_forgetting_is_from_the_best_earlier_step():
    """Measured from the last step instead of the best, recovery would hide a loss."""
    history = [{'bg': 9.0, 'a': 80.0, 'b': 50.0}, {'bg': 9.0, 'a': 60.0, 'b': 70.0, 'c': 10.0}]
    now = {'bg': 1.0, 'a': 50.0, 'b': 75.0, 'c': 10.0}
    assert forgetting(history, now, ['a', 'b']) == pytest.approx((30.0 - 5.0) / 2)
    assert forgetting(history, now, ['a', 'b', 'c']) == pytest.approx((30.0 - 5.0 + 0.0) / 3)


def test_no_forgetting_without_old_classes():
    """Step 0, and classes without ground truth, have nothing to forget."""
    assert forgetting([], {'bg': 1.0, 'a': 2.0}, []) is None
    assert forgetting([{'a': None}], {'a': 3.0}, ['a']) is None
