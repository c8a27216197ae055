"""Counting pixels on a GPU: the counts of a CPU, one wait at the end of an evaluation."""

import pytest
import torch

from incseg.evaluation.confusion import confusion_matrix, pair_counts
from incseg.evaluation.metric import ConfusionMetric
from tests.common.waits import DEVICE, StandIn


def images(num_classes, ignore_index):
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, num_classes, (1, 30, 31), generator=generator)
    target[:, ::3] = ignore_index
    prediction = torch.randint(0, num_classes, (1, 30, 31), generator=generator)
    prediction[target == ignore_index] = 255  # where it is not counted it may be anything
    return prediction.to(torch.uint8), target.to(torch.uint8)


@pytest.mark.parametrize(
    ('num_classes', 'ignore_index'),
    [(1, 255), (21, 255), (21, 0), (21, 20), (200, 255), (254, 255)],
)
def test_the_counts_of_a_cpu(num_classes, ignore_index):
    """If it fails, a GPU scores the same predictions differently, or waits for each image."""
    given = images(num_classes, ignore_index)
    expected = confusion_matrix(*given, num_classes, ignore_index)
    with StandIn() as device:
        there = [x.to(DEVICE) for x in given]
        with device.counting() as waits:
            counts = pair_counts(*there, num_classes, ignore_index)
        assert waits == []
        found = confusion_matrix(*there, num_classes, ignore_index).cpu()
    assert torch.equal(found, expected)
    assert len(counts) == num_classes * (num_classes + 1) + 1
    assert counts.held.sum() == given[0].numel(), 'every pixel is in one bin'


@pytest.mark.parametrize(('prediction', 'target'), [(0, 3), (0, 254), (3, 2), (254, 0)])
def test_a_label_that_is_no_class(prediction, target):
    """If it fails, a label map with too many classes is scored as if it had fewer."""
    metric = ConfusionMetric()
    metric.dataset_meta = dict(classes=['a', 'b', 'c'])
    with StandIn() as device:
        for labels in (([0, 1], [0, 255]), ([0, prediction], [255, target]), ([0, 1], [0, 1])):
            maps = [torch.tensor(x, dtype=torch.uint8).to(DEVICE) for x in labels]
            sample = dict(pred_sem_seg=dict(data=maps[0]), gt_sem_seg=dict(data=maps[1]))
            with device.counting() as waits:
                metric.process(None, [sample])
            assert waits == []
        with pytest.raises(ValueError, match='^1 pixels have a label .* none of the 3 classes$'):
            metric.evaluate(3)


@pytest.mark.parametrize(('num_classes', 'copies'), [(21, 64), (254, 32), (2000, 1)])
def test_a_flat_picture(num_classes, copies, monkeypatch):
    """If it fails, all pixels of a GPU add to one number, one after the other; or copies of a large
    matrix fill the memory."""
    add, bins = torch.Tensor.scatter_add_, []

    def noted(self, dim, index, values):
        bins.append((len(index.held.unique()), len(self)))
        return add(self, dim, index, values)

    monkeypatch.setattr(torch.Tensor, 'scatter_add_', noted)
    with StandIn():
        picture = torch.zeros(30, 30, dtype=torch.int64).to(DEVICE)
        counts = pair_counts(picture, picture, num_classes).cpu()
    assert bins == [(copies, copies * (num_classes**2 + num_classes + 1))]
    assert counts[0] == counts.sum() == 900
