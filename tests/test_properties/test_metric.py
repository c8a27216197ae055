"""Counts and scores against loops over pixels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from incseg.evaluation.confusion import confusion_matrix, iou_per_class, pixel_accuracy
from incseg.evaluation.conventions import convention_means, forgetting


@st.composite
def pixels(draw):
    """Truth with void and prediction of some pixels, and the number of classes."""
    total = draw(st.integers(1, 9))
    count = draw(st.integers(1, 40))
    truth = st.one_of(st.integers(0, total - 1), st.just(255))
    return (
        draw(st.lists(st.integers(0, total - 1), min_size=count, max_size=count)),
        draw(st.lists(truth, min_size=count, max_size=count)),
        total,
    )


@given(pixels(), st.sampled_from([torch.uint8, torch.int32, torch.int64]))
def test_counts(case, dtype):
    """If it fails, every published number is wrong."""
    prediction, truth, total = case
    counts = [[0] * total for _ in range(total)]
    for predicted, true in zip(prediction, truth):
        if true != 255:
            counts[true][predicted] += 1
    made = confusion_matrix(torch.tensor(prediction, dtype=dtype), torch.tensor(truth), total)
    assert made.tolist() == counts and made.dtype == torch.int64


@given(pixels())
def test_scores(case):
    """If it fails, IoU or accuracy is not that of the definition: sets of pixels, void left out."""
    prediction, truth, total = case
    kept = [(p, t) for p, t in zip(prediction, truth) if t != 255]
    matrix = confusion_matrix(torch.tensor(prediction), torch.tensor(truth), total)
    for c, iou in enumerate(iou_per_class(matrix)):
        both = sum(p == c and t == c for p, t in kept)
        either = sum(p == c or t == c for p, t in kept)
        shown = any(t == c for _, t in kept)
        assert iou == (pytest.approx(100 * both / either) if shown else None)
    right = sum(p == t for p, t in kept)
    assert pixel_accuracy(matrix) == (pytest.approx(100 * right / len(kept)) if kept else None)


@given(pixels(), st.integers(0, 300))
def test_foreign_labels(case, label):
    """If it fails, a label that is no class is counted as another pair of classes."""
    prediction, truth, total = case
    if label >= total and label != 255:
        with pytest.raises(ValueError, match=f'but there are {total} classes'):
            confusion_matrix(torch.tensor(prediction), torch.tensor([label, *truth[1:]]), total)


PERCENT = st.one_of(st.none(), st.floats(0, 100))


@given(st.lists(PERCENT, min_size=2, max_size=8), st.integers(1, 7))
def test_conventions(values, base):
    """If it fails, a mean counts a class twice, a class without truth, or the wrong background."""
    names = [f'c{i}' for i in range(len(values))]
    iou, base = dict(zip(names, values)), min(base, len(values) - 1)
    old, new = names[1 : 1 + base], names[1 + base :]

    def mean(chosen):
        known = [iou[name] for name in chosen if iou[name] is not None]
        return pytest.approx(sum(known) / len(known)) if known else None

    assert convention_means(iou, old, new) == {
        'mib': dict(base=mean(old), added=mean(new), all=mean(old + new)),
        'plop': dict(base=mean(['c0', *old]), added=mean(new), all=mean(names)),
        'wilson': dict(base=mean(old), added=mean(new), all=mean(names)),
    }


@given(st.lists(st.lists(PERCENT, min_size=3, max_size=3), min_size=1, max_size=5))
def test_forgetting(rows):
    """If it fails, forgetting is not measured from the best earlier score."""
    *history, now = [dict(zip('abc', row)) for row in rows]
    drops = []
    for name in 'ab':
        past = [iou[name] for iou in history if iou[name] is not None]
        if past and now[name] is not None:
            drops.append(max(past) - now[name])
    wanted = pytest.approx(sum(drops) / len(drops)) if drops else None
    assert forgetting(history, now, ['a', 'b']) == wanted
