"""Scores of images from maps: what tells the localiser that a class is there."""

from math import exp, log

import pytest
import torch

from incseg.models.weak.functional import image_classification_loss, ngwp_scores

#: from WILSON's published functions, run on `maps()`
PUBLISHED_SCORES = [
    [0.9192160946178669, 1.5001514925592603, 1.0786270100788489, 0.9860096066502216],
    [0.6630533687305737, 1.0957612345890462, 1.783114125318473, 0.58852576223673],
]
PUBLISHED_LOSS = 0.5481820752348223


def maps():
    """Two images, background, one old and two new classes, 3 x 4 pixels."""
    return (torch.arange(96, dtype=torch.float64) * 0.7).sin().view(2, 4, 3, 4) * 3


def labels():
    return torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)


def brute_force(logits):
    """The formula, pixel by pixel."""
    scores = []
    for image in logits.tolist():
        classes, pixels = (
            len(image),
            [(i, j) for i in range(len(image[0])) for j in range(len(image[0][0]))],
        )
        row = []
        for c in range(classes):
            weighted = total = 0.0
            for i, j in pixels:
                share = exp(image[c][i][j]) / sum(exp(image[k][i][j]) for k in range(classes))
                weighted += share * image[c][i][j]
                total += share
            mean = total / len(pixels)
            row.append(weighted / (1 + total) + (1 - mean) ** 3 * log(0.01 + mean))
        scores.append(row)
    return torch.tensor(scores, dtype=torch.float64)


def test_brute_force():
    """If it fails, the pooling is not weighted by the softmax over classes, or 1 is missing."""
    torch.testing.assert_close(ngwp_scores(maps()), brute_force(maps()))


def test_published_values():
    """If it fails, our scores are not WILSON's."""
    expected = torch.tensor(PUBLISHED_SCORES, dtype=torch.float64)
    torch.testing.assert_close(ngwp_scores(maps()), expected, rtol=1e-12, atol=1e-13)
    loss = image_classification_loss(maps(), labels())
    assert loss.item() == pytest.approx(PUBLISHED_LOSS, rel=1e-12)


def test_a_class_without_a_pixel_is_absent():
    """If it fails, the penalty of small classes has gone: any pixel would do."""
    logits = torch.zeros(1, 2, 8, 8, dtype=torch.float64)
    logits[:, 1] = -60
    assert ngwp_scores(logits)[0, 1].item() == pytest.approx(log(0.01), rel=1e-6)
    logits[:, 1] = 60
    assert ngwp_scores(logits)[0, 1].item() == pytest.approx(60 * 64 / 65, rel=1e-6)


def test_only_new_classes_are_asked_for():
    """If it fails, the unlabelled old classes are taught to be absent."""
    logits = maps().requires_grad_()
    loss = image_classification_loss(logits, labels())
    scores = ngwp_scores(maps())[:, 2:]
    expected = -(labels() * scores.sigmoid().log() + (1 - labels()) * (-scores).sigmoid().log())
    torch.testing.assert_close(loss, expected.mean())
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[:, :2].abs().min() > 0, 'old classes compete in the softmax'


def test_gradients():
    """If it fails, the localiser does not descend."""
    logits = maps()[:, :, :2, :2].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: image_classification_loss(z, labels()), logits)


def test_half_types_become_float32():
    """If it fails, sums over pixels overflow or round in half precision."""
    assert ngwp_scores(maps().bfloat16()).dtype == torch.float32
