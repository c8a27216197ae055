import pytest
import torch

from incseg.evaluation.confusion import confusion_matrix, iou_per_class, pixel_accuracy


def test_worked_example():
    """Rows must be truth, columns prediction, void out: everything reported rests on it."""
    target = torch.tensor([[0, 0, 1], [1, 2, 255]], dtype=torch.uint8)
    prediction = torch.tensor([[0, 1, 1], [1, 0, 2]], dtype=torch.uint8)
    matrix = confusion_matrix(prediction, target, 4)
    expected = torch.zeros(4, 4, dtype=torch.int64)
    expected[0, 0] = expected[0, 1] = expected[2, 0] = 1
    expected[1, 1] = 2
    assert torch.equal(matrix, expected)
    iou = iou_per_class(matrix)
    assert iou[:3] == pytest.approx([100 / 3, 200 / 3, 0.])
    assert iou[3] is None, 'a class without ground truth has no IoU'
    assert pixel_accuracy(matrix) == pytest.approx(60.)


def test_predicted_class_without_ground_truth_is_none_not_zero():
    """False positives of an absent class must not enter the mean as 0."""
    matrix = confusion_matrix(torch.tensor([1, 1]), torch.tensor([0, 0]), 2)
    assert iou_per_class(matrix) == [0., None]


def test_matches_loop_on_random_maps():
    """The flattened-index counting must equal counting pixel by pixel."""
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 6, (2, 7, 9), generator=generator)
    target[target == 5] = 255
    prediction = torch.randint(0, 5, (2, 7, 9), generator=generator)
    expected = torch.zeros(5, 5, dtype=torch.int64)
    for t, p in zip(target.flatten().tolist(), prediction.flatten().tolist()):
        if t != 255:
            expected[t, p] += 1
    assert torch.equal(confusion_matrix(prediction, target, 5), expected)


def test_nothing_but_void():
    """An image of void alone counts nothing and breaks nothing."""
    matrix = confusion_matrix(torch.zeros(3, 3), torch.full((3, 3), 255), 2)
    assert matrix.sum() == 0
    assert pixel_accuracy(matrix) is None


def test_shapes_must_agree():
    """A prediction at another size than its label must not be counted silently."""
    with pytest.raises(ValueError, match='differ'):
        confusion_matrix(torch.zeros(2, 3), torch.zeros(3, 2), 2)
