"""The label 0 of an image stands for the background and for the classes that it hides."""

import pytest
import torch

from incseg.models.losses import BinaryCrossEntropyLoss, CrossEntropyLoss, UnbiasedCrossEntropyLoss
from incseg.models.segmentors.hidden_classes import hidden_rows, kept_labels
from incseg.models.segmentors.step_losses import loss_with_hidden
from incseg.registry import MODELS
from incseg.structures import SegDataSample

STEP = dict(num_old=4, ignore_index=255)
#: what each of five images hides: the old classes 1 to 3, nothing, 2, 1 and the new class 5, 2
SETS = [(1, 2, 3), (), (2,), (1, 5), (2,)]


def batch():
    torch.manual_seed(0)
    logits = torch.randn(5, 6, 4, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 6, (5, 4, 3))
    for labels, ids in zip(target, SETS):
        for i in ids:
            labels[labels == i] = 0
    target[1, 0] = 255
    return logits, target


def samples(sets):
    return [SegDataSample(metainfo={} if each is None else dict(hidden=each)) for each in sets]


def by_hand(logits, target, sets):
    """Pixel by pixel: -log of the probability of the label, of label 0 with all that it hides."""
    total, p = 0.0, logits.softmax(1)
    for i, ids in enumerate(sets):
        for y, x in torch.cartesian_prod(torch.arange(4), torch.arange(3)).tolist():
            label = int(target[i, y, x])
            if label != 255:
                total = total - p[i, [0, *ids] if label == 0 else [label], y, x].sum().log()
    return total / target.numel()


@pytest.mark.parametrize('fused', [True, False])
@pytest.mark.parametrize('dtype', [torch.int64, torch.uint8])
def test_unbiased_cross_entropy_of_each_image(fused, dtype):
    """If it fails, MiB punishes an old class where the folder's labels do not show it, or forgets
    where they do."""
    logits, target = batch()
    loss = loss_with_hidden(
        UnbiasedCrossEntropyLoss(fused=fused),
        logits,
        target.to(dtype),
        hidden=hidden_rows(samples(SETS), 4, 6),
        **STEP,
    )
    expected = by_hand(logits, target, SETS)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(*(torch.autograd.grad(x, logits)[0] for x in (loss, expected)))


@pytest.mark.parametrize('size', [(4, 3), (8, 6)])
def test_the_old_classes_hidden_is_the_loss_of_today(size):
    """If it fails, a folder's step trains on other numbers than the same step of a protocol."""
    torch.manual_seed(1)
    logits = torch.randn(3, 6, 4, 3, dtype=torch.float64)
    target = torch.randint(4, 6, (3, *size)) * torch.randint(0, 2, (3, *size))
    criterion = UnbiasedCrossEntropyLoss(fused=size != (4, 3))
    today = criterion(logits, target, **STEP)
    assert torch.equal(criterion(logits, target, hidden=(1, 2, 3), **STEP), today)
    later = criterion(logits[:, [0, 4, 1, 2, 3, 5]], torch.where(target == 4, 1, target),
                      hidden=(2, 3, 4), **STEP)  # fmt: skip
    torch.testing.assert_close(later, today, rtol=1e-12, atol=0)


def test_images_as_usual_are_not_told_apart():
    """If it fails, every batch goes image by image, and losses in one pass with their term are
    lost."""
    assert hidden_rows(samples([None, (1, 2, 3), (3, 1, 2)]), 4, 6) is None
    assert hidden_rows(samples([(), ()]), 1, 4) is None
    rows = hidden_rows(samples([None, (), (5,)]), 4, 6)
    assert rows.int().tolist() == [[0, 1, 1, 1, 0, 0], [0] * 6, [0, 0, 0, 0, 0, 1]]


def test_a_loss_without_the_keyword():
    """If it fails, a user's own loss gets an argument that it does not know, or learns from images
    that it cannot understand."""
    calls = []

    def own(logits, target, *, num_old, ignore_index):
        calls.append((len(logits), num_old))
        return logits.mean()

    logits, target = batch()
    rows = hidden_rows(samples(SETS), 4, 6)
    loss_with_hidden(own, logits[:2], target[:2], hidden=rows[:2], **STEP)
    assert calls == [(1, 4), (1, 1)]
    with pytest.raises(ValueError, match=r'no keyword hidden.* the classes \[2\] of 3 old ones'):
        loss_with_hidden(own, logits[2:3], target[2:3], hidden=rows[2:3], **STEP)


@pytest.mark.parametrize(
    'criterion',
    [CrossEntropyLoss(), BinaryCrossEntropyLoss(), MODELS.build(dict(type='OhemCrossEntropyLoss'))],
)
def test_losses_that_know_no_old_classes(criterion):
    """If it fails, fine-tuning refuses a folder that annotates some of the old classes."""
    logits, target = batch()
    same = criterion(logits, target, **STEP)
    assert torch.equal(criterion(logits, target, hidden=(2, 5), **STEP), same)


def test_hidden_classes_that_are_none():
    """If it fails, a wrong train id gives a number instead of an error."""
    logits, target = batch()
    for ids in ((0,), (6,), (2, 2)):
        with pytest.raises(ValueError, match='hidden'):
            UnbiasedCrossEntropyLoss()(logits, target, hidden=ids, **STEP)


def test_what_a_labeller_may_replace():
    """Worked example: an image as usual, one that hides nothing, and one that hides class 2."""
    labels = torch.tensor([[[0, 4, 2, 0]]] * 3)
    replaced = torch.tensor([[[2, 255, 1, 1]], [[2, 255, 1, 1]], [[2, 255, 1, 1]]])
    rows = hidden_rows(samples([None, (), (2,)]), 4, 6)
    kept = kept_labels(labels, replaced, rows, 4, 255)
    assert kept.tolist() == [[[2, 255, 1, 1]], [[0, 4, 2, 0]], [[2, 4, 2, 0]]]
    unsure = kept_labels(labels, torch.full_like(labels, 255), rows, 4, 255)
    assert unsure[2].tolist() == [[255, 4, 2, 255]]
