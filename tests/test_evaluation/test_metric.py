import pytest
import torch

from incseg.evaluation import ConfusionMetric


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
