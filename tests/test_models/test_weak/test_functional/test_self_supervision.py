"""The localiser's own pixels as labels."""

from math import exp, log

import pytest
import torch

from incseg.models.weak.functional import balanced_cross_entropy, confident_pixels, present_masks

#: from WILSON's published functions, on the maps of test_ngwp and the labels below
PUBLISHED_PIXELS = [[5, 0, 3, 0], [0, 0, 5, 0]]
PUBLISHED_LOSS = 0.07006414060923312


def maps():
    """Two images, background, one old and two new classes, 3 x 4 pixels."""
    return (torch.arange(96, dtype=torch.float64) * 0.7).sin().view(2, 4, 3, 4) * 3


def labels():
    return torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)


def row(*columns):
    """One image, one row of pixels: scores of the classes, pixel by pixel."""
    return torch.tensor(columns, dtype=torch.float64).T[None, :, None]


def test_present_masks():
    """If it fails, a class that the label excludes becomes a target, or background is lost."""
    masks = present_masks(maps().softmax(1), labels())
    soft = maps().softmax(1)
    assert torch.equal(masks[:, 0], soft[:, 0])
    assert not masks[:, 1].any(), 'old classes'
    assert not masks[0, 3].any()
    assert torch.equal(masks[0, 2], soft[0, 2]) and torch.equal(masks[1, 2:], soft[1, 2:])


def test_no_class_in_the_image():
    """If it fails, an image with nothing new (a negative) breaks the step."""
    masks = present_masks(maps().softmax(1), torch.zeros(2, 2))
    assert not masks[:, 1:].any() and masks[:, 0].all()


def test_confident_pixels_by_hand():
    """If it fails, a share of the maximum, the least score or the doubt is not as published.

    Background: maximum 0.9, above 0.63.  Class: maximum 0.8, above 0.48.
    """
    masks = row((0.9, 0.1), (0.63, 0.2), (0.64, 0.3), (0.2, 0.8), (0.5, 0.48), (0.7, 0.5))
    chosen = confident_pixels(masks)
    assert chosen[0, 0, 0].tolist() == [True, False, True, False, False, False]
    assert chosen[0, 1, 0].tolist() == [False, False, False, True, False, False]


def test_low_scores_are_not_trusted():
    """If it fails, a class that is nowhere likely labels the pixels where it is least unlikely."""
    assert not confident_pixels(row((0.1, 0.2), (0.15, 0.19))).any()
    assert confident_pixels(row((0.1, 0.2), (0.15, 0.19)), lowest=0.1).any()


def brute_force(logits, chosen, image_labels):
    """The formula, pixel by pixel."""
    images, classes, height, width = logits.shape
    total = 0.0
    for n in range(images):
        label = {
            (i, j): c
            for c in range(classes)
            for i in range(height)
            for j in range(width)
            if chosen[n, c, i, j]
        }
        count = [sum(c == k for c in label.values()) for k in range(classes)]
        if sum(k > 0 for k in count) != 1 + image_labels[n].sum():
            continue
        for (i, j), c in label.items():
            scores = logits[n, :, i, j].tolist()
            loss = log(sum(exp(s) for s in scores)) - scores[c]
            total += (len(label) - count[c]) / (1 + len(label)) * loss
    return total / (images * height * width)


def test_brute_force():
    """If it fails, the balance of classes or the mean over all pixels is wrong."""
    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(3, 4, 5, 6, generator=generator, dtype=torch.float64) * 2
        image_labels = (torch.rand(3, 2, generator=generator) < 0.6).double()
        chosen = confident_pixels(present_masks(logits.softmax(1), image_labels))
        expected = brute_force(logits, chosen, image_labels)
        assert expected > 0
        loss = balanced_cross_entropy(logits, chosen, image_labels)
        assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_published_values():
    """If it fails, our self-supervision is not WILSON's."""
    chosen = confident_pixels(present_masks(maps().softmax(1), labels()))
    assert chosen.sum((2, 3)).tolist() == PUBLISHED_PIXELS
    loss = balanced_cross_entropy(maps(), chosen, labels())
    assert loss.item() == pytest.approx(PUBLISHED_LOSS, rel=1e-12)


@pytest.mark.parametrize(
    'image_labels, counts', [((1.0, 0.0), True), ((1.0, 1.0), False), ((0.0, 0.0), False)]
)
def test_images_that_are_dropped(image_labels, counts):
    """If it fails, an image teaches that a class is absent because it was not found (yet)."""
    chosen = confident_pixels(row((0.9, 0.0, 0.1, 0.0), (0.1, 0.0, 0.9, 0.0)))
    assert chosen.sum((2, 3)).tolist() == [[1, 0, 1, 0]]
    logits = torch.randn(1, 4, 1, 2, dtype=torch.float64, requires_grad=True)
    loss = balanced_cross_entropy(logits, chosen, torch.tensor([image_labels]))
    assert (loss.item() > 0) is counts
    (gradient,) = torch.autograd.grad(loss, logits)
    assert bool(gradient.any()) is counts


def test_without_any_pixel():
    """If it fails, an image in which nothing is sure gives NaN."""
    logits = torch.randn(2, 4, 3, 3, requires_grad=True)
    loss = balanced_cross_entropy(logits, torch.zeros(2, 4, 3, 3, dtype=torch.bool), labels())
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, logits)[0].any()
