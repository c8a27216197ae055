import numpy as np
import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.evaluation.confusion import confusion_matrix, iou_per_class
from incseg.evaluation.threshold_sweep import ThresholdSweep

THRESHOLDS = [0.0, 0.2, 0.26, 0.6, 1.0]


def images(count=3):
    rng = np.random.default_rng(0)
    for _ in range(count):
        truth = rng.choice(np.uint8([0, 1, 2, 255]), (9, 11))
        yield (
            truth,
            rng.integers(0, 3, (9, 11)).astype(np.uint8),
            rng.choice(np.uint8([0, 51, 52, 66, 67, 152, 153, 154, 255]), (9, 11)),
        )


def test_equals_one_pass_for_each_threshold():
    """Against labels made for every threshold and counted by the ordinary matrix; scores lie at
    and beside the thresholds (.2 is 51/255, .6 is 153/255), where a wrong rounding shows."""
    sweep = ThresholdSweep(3, THRESHOLDS)
    for image in images():
        sweep.add(*image)
    for threshold, matrix in zip(THRESHOLDS, sweep.matrices()):
        expected = torch.zeros(3, 3, dtype=torch.int64)
        for truth, best, score in images():
            # exact: 255 t is a whole number or not near one
            label = np.where(score > round(255 * threshold, 6), best, 0)
            expected += confusion_matrix(torch.from_numpy(label), torch.from_numpy(truth), 3)
        assert torch.equal(matrix, expected), threshold


def test_rows_worked_by_hand():
    """Four pixels: at .5 class 1 has one of two and a false one; at 1 all is background."""
    sweep = ThresholdSweep(3, [0.5, 1.0])
    sweep.add(np.uint8([[0, 0, 1, 1]]), np.uint8([[1, 1, 1, 1]]), np.uint8([[10, 200, 200, 20]]))
    low, high = sweep.rows()
    assert low['iou'] == [pytest.approx(100 / 3), pytest.approx(100 / 3), None]
    assert low['classes'] == low['all'] == pytest.approx(100 / 3)
    assert high['iou'][:2] == [50.0, 0.0] and high['classes'] == 0 and high['all'] == 25
    assert iou_per_class(sweep.matrices()[1]) == high['iou']


@pytest.mark.parametrize('thresholds', [[], [26], [-0.1]])
def test_thresholds(thresholds):
    """In scores, not in percent."""
    with pytest.raises(InvalidInputError, match=r'thresholds is .*expected one or more'):
        ThresholdSweep(3, thresholds)
