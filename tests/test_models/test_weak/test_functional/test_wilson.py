"""WILSON's functions of image-level labels: pooled scores, own labels, soft labels."""

from math import exp, log

import pytest
import torch

from incseg.models.losses.functional import soft_binary_cross_entropy
from incseg.models.weak.functional import (
    balanced_cross_entropy,
    confident_pixels,
    image_classification_loss,
    image_weights,
    ngwp_scores,
    present_masks,
    segmentation_targets,
    smoothed_masks,
)

#: from WILSON's published functions, run on `maps()`
PUBLISHED_SCORES = [
    [0.9192160946178669, 1.5001514925592603, 1.0786270100788489, 0.9860096066502216],
    [0.6630533687305737, 1.0957612345890462, 1.783114125318473, 0.58852576223673],
]
PUBLISHED_CLASSIFICATION = 0.5481820752348223


def maps():
    """Two images, background, one old and two new classes, 3 x 4 pixels."""
    return (torch.arange(96, dtype=torch.float64) * 0.7).sin().view(2, 4, 3, 4) * 3


def labels():
    return torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)


def scores_by_hand(logits):
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


def test_scores_by_brute_force():
    """If it fails, the pooling is not weighted by the softmax over classes, or 1 is missing."""
    torch.testing.assert_close(ngwp_scores(maps()), scores_by_hand(maps()))


def test_published_scores():
    """If it fails, our scores are not WILSON's."""
    expected = torch.tensor(PUBLISHED_SCORES, dtype=torch.float64)
    torch.testing.assert_close(ngwp_scores(maps()), expected, rtol=1e-12, atol=1e-13)
    loss = image_classification_loss(maps(), labels())
    assert loss.item() == pytest.approx(PUBLISHED_CLASSIFICATION, rel=1e-12)


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


#: from WILSON's published functions, on `maps()` and `labels()`
PUBLISHED_PIXELS = [[5, 0, 3, 0], [0, 0, 5, 0]]
PUBLISHED_OWN_LOSS = 0.07006414060923312


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


def own_loss_by_hand(logits, chosen, image_labels):
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


def test_own_labels_by_brute_force():
    """If it fails, the balance of classes or the mean over all pixels is wrong."""
    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(3, 4, 5, 6, generator=generator, dtype=torch.float64) * 2
        image_labels = (torch.rand(3, 2, generator=generator) < 0.6).double()
        chosen = confident_pixels(present_masks(logits.softmax(1), image_labels))
        expected = own_loss_by_hand(logits, chosen, image_labels)
        assert expected > 0
        loss = balanced_cross_entropy(logits, chosen, image_labels)
        assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_published_own_labels():
    """If it fails, our self-supervision is not WILSON's."""
    chosen = confident_pixels(present_masks(maps().softmax(1), labels()))
    assert chosen.sum((2, 3)).tolist() == PUBLISHED_PIXELS
    loss = balanced_cross_entropy(maps(), chosen, labels())
    assert loss.item() == pytest.approx(PUBLISHED_OWN_LOSS, rel=1e-12)


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


#: of one pixel, and of the whole loss, from WILSON's published lines by alpha; see `published_case`
PUBLISHED_TARGETS = {
    0.0: [0.09647396360826264, 0.5501889586617468, 0.004387526805822236, 0.11782364524336417],
    0.5: [0.04823698180413132, 0.5501889586617468, 0.002193763402911118, 0.558911822621682],
    0.9: [0.009647396360826262, 0.5501889586617468, 0.00043875268058222354, 0.9117823645243365],
    1.0: [0.0, 0.5501889586617468, 0.0, 1.0],
}
PUBLISHED_LOSSES = {
    0.0: 3.517026171350358,
    0.5: 3.6636811336642334,
    0.9: 3.777327059656429,
    1.0: 3.8043945034938242,
}


def wave(*shape, step):
    numbers = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (numbers * step).sin().view(shape)


def published_case(alpha):
    """Student's logits, teacher's logits, smoothed masks and labels of two images."""
    image_labels = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    masks = present_masks((wave(2, 4, 3, 4, step=0.7) * 3).softmax(1), image_labels)
    return (
        wave(2, 4, 3, 4, step=1.3) * 2,
        wave(2, 2, 3, 4, step=0.9) * 2,
        smoothed_masks(masks, alpha),
        image_labels,
    )


def test_smoothing_by_hand():
    """If it fails, alpha mixes something else than the best class and the scores."""
    masks = torch.tensor([0.5, 0.3, 0.2]).view(1, 3, 1, 1)
    mixed = smoothed_masks(masks, 0.9).flatten().tolist()
    assert mixed == pytest.approx([0.95, 0.03, 0.02])


@pytest.mark.parametrize('alpha', [0.0, 1.0])
def test_limits_of_alpha(alpha):
    """If it fails, 0 is not the scores themselves, or 1 not the best class alone."""
    masks = wave(2, 4, 3, 3, step=0.7).softmax(1)
    best = torch.nn.functional.one_hot(masks.argmax(1), 4).movedim(3, 1).double()
    assert torch.equal(smoothed_masks(masks, alpha), best if alpha else masks)


def test_targets_by_hand():
    """If it fails, old classes do not come from the teacher, or background not from both."""
    teacher = torch.tensor([[0.8, 0.3], [0.2, 0.6]], dtype=torch.float64).logit()
    masks = torch.tensor([[0.7, 0.0, 0.3], [0.1, 0.0, 0.9]], dtype=torch.float64)
    targets = segmentation_targets(teacher[..., None, None], masks[..., None, None])
    expected = torch.tensor([[0.7, 0.3, 0.3], [0.1, 0.6, 0.9]], dtype=torch.float64)
    torch.testing.assert_close(targets[..., 0, 0], expected)


def test_without_a_new_class():
    """If it fails, an image with nothing new teaches more than what the teacher says."""
    _, teacher, _, _ = published_case(0.5)
    masks = present_masks((wave(2, 4, 3, 4, step=0.7) * 3).softmax(1), torch.zeros(2, 2))
    smoothed = smoothed_masks(masks, 0.5)
    targets = segmentation_targets(teacher, smoothed)
    assert not targets[:, 2:].any()
    torch.testing.assert_close(targets[:, 1], teacher[:, 1].sigmoid())
    assert (targets[:, 0] <= teacher[:, 0].sigmoid()).all()


@pytest.mark.parametrize('alpha', [0.0, 0.5, 0.9, 1.0])
def test_published_soft_labels(alpha):
    """If it fails, our segmentation loss is not WILSON's; its mean has 1e-5 in the denominator."""
    student, teacher, masks, image_labels = published_case(alpha)
    targets = segmentation_targets(teacher, masks)
    torch.testing.assert_close(
        targets[1, :, 1, 2],
        torch.tensor(PUBLISHED_TARGETS[alpha], dtype=torch.float64),
        rtol=1e-12,
        atol=1e-14,
    )
    loss = soft_binary_cross_entropy(student, targets, image_weights(masks, image_labels))
    assert loss.item() == pytest.approx(PUBLISHED_LOSSES[alpha], rel=1e-5)


def test_soft_masks_leave_no_image_out():
    """If it fails, images are lost although each present class has a positive score."""
    _, _, masks, image_labels = published_case(0.5)
    assert image_weights(masks, image_labels).tolist() == [1, 1]


def test_hard_masks_leave_out_what_was_not_found():
    """If it fails, an image whose class has no pixel teaches that it is absent."""
    masks = torch.zeros(4, 3, 1, 2)
    masks[:, 0, 0, 0] = 1
    masks[0, 1, 0, 1] = 1
    image_labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert image_weights(masks, image_labels).tolist() == [2, 0, 0, 2]
    assert image_weights(masks[1:2], image_labels[1:2]).tolist() == [0]
