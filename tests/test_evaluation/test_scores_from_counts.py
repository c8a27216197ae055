"""Scores come from one count of pixels: IoU, accuracy, the conventions, forgetting."""

import pytest
import torch

from incseg.evaluation import ConfusionMetric
from incseg.evaluation.confusion import confusion_matrix, iou_per_class, pixel_accuracy
from incseg.evaluation.conventions import convention_means, forgetting


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
    assert iou[:3] == pytest.approx([100 / 3, 200 / 3, 0.0])
    assert iou[3] is None, 'a class without ground truth has no IoU'
    assert pixel_accuracy(matrix) == pytest.approx(60.0)


def test_predicted_class_without_ground_truth_is_none_not_zero():
    """False positives of an absent class must not enter the mean as 0."""
    matrix = confusion_matrix(torch.tensor([1, 1]), torch.tensor([0, 0]), 2)
    assert iou_per_class(matrix) == [0.0, None]


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


def by_indexing(prediction, target, num_classes, ignore_index=255):
    valid = target != ignore_index
    pair = target[valid].long() * num_classes + prediction[valid].long()
    return torch.bincount(pair, minlength=num_classes**2).view(num_classes, num_classes)


@pytest.mark.parametrize(
    'types', [(torch.uint8, torch.uint8), (torch.int64, torch.uint8), (torch.uint8, torch.int64)]
)
@pytest.mark.parametrize(
    ('num_classes', 'ignore_index'),
    [(1, 255), (21, 255), (21, 0), (21, 20), (200, 255), (256, 255)],
)
def test_void_as_a_row_is_void_left_out(types, num_classes, ignore_index):
    """If it fails, the fast way of counting gives other numbers, or a type overflows."""
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, num_classes, (1, 90, 91), generator=generator)
    target[:, ::3] = ignore_index
    prediction = torch.randint(0, num_classes, (1, 90, 91), generator=generator)
    prediction[target == ignore_index] = 255  # where it is not counted it may be anything
    given = prediction.to(types[0]), target.to(types[1])
    copies = [x.clone() for x in given]
    matrix = confusion_matrix(*given, num_classes, ignore_index)
    assert matrix.dtype == torch.int64 and matrix.shape == (num_classes, num_classes)
    assert torch.equal(matrix, by_indexing(prediction, target, num_classes, ignore_index))
    assert all(torch.equal(x, copy) for x, copy in zip(given, copies)), 'written to'


def test_more_classes_than_a_byte_holds():
    """If it fails, data sets of hundreds of classes are counted modulo something."""
    target = torch.arange(1000).view(10, 100)
    prediction = (target + 1) % 1000
    matrix = confusion_matrix(prediction, target, 1000)
    assert matrix.sum() == 999, 'all but the one that is void'
    assert torch.equal(matrix, by_indexing(prediction, target, 1000))


@pytest.mark.parametrize(('prediction', 'target'), [(0, 3), (0, 7), (3, 2)])
def test_a_label_that_is_no_class(prediction, target):
    """If it fails, a label map with too many classes is scored as if it had fewer."""
    with pytest.raises(ValueError, match=f'labels up to {target} .*but there are 3 classes'):
        confusion_matrix(torch.tensor([0, prediction]), torch.tensor([255, target]), 3)


def test_nothing_but_void():
    """An image of void alone counts nothing and breaks nothing."""
    matrix = confusion_matrix(torch.zeros(3, 3), torch.full((3, 3), 255), 2)
    assert matrix.sum() == 0
    assert pixel_accuracy(matrix) is None


def test_shapes_must_agree():
    """A prediction at another size than its label must not be counted silently."""
    with pytest.raises(ValueError, match='differ'):
        confusion_matrix(torch.zeros(2, 3), torch.zeros(3, 2), 2)


def sample(prediction, target):
    return dict(
        pred_sem_seg=dict(data=torch.tensor(prediction, dtype=torch.uint8)),
        gt_sem_seg=dict(data=torch.tensor(target, dtype=torch.uint8)),
    )


def make():
    metric = ConfusionMetric()
    metric.dataset_meta = dict(classes=('background', 'cat'))
    return metric


def test_dataset_mean_not_mean_of_images():
    """IoU comes from one matrix over all images; a mean of per-image IoUs differs."""
    metric = make()
    metric.process(None, [sample([[1, 1, 1, 1]], [[1, 1, 1, 1]])])
    metric.process(None, [sample([[0, 0]], [[1, 255]])])
    result = metric.evaluate(2)
    assert result['seg/iou'] == {'background': None, 'cat': pytest.approx(80.0)}
    assert result['seg/accuracy'] == pytest.approx(80.0)


def test_evaluate_starts_over():
    """A second evaluation must not count the first one's pixels."""
    metric = make()
    metric.process(None, [sample([[0]], [[1]])])
    metric.evaluate(1)
    metric.process(None, [sample([[1]], [[1]])])
    assert metric.evaluate(1)['seg/iou']['cat'] == 100.0


def test_process_without_images():
    """With more processes than images some have none; they still take part in the sum."""
    assert make().evaluate(0) == {
        'seg/iou': {'background': None, 'cat': None},
        'seg/accuracy': None,
    }


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
