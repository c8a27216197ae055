"""What the segmentation network is taught."""

import pytest
import torch

from incseg.models.losses.functional import soft_binary_cross_entropy
from incseg.models.weak.functional import (
    image_weights,
    present_masks,
    segmentation_targets,
    smoothed_masks,
)

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
def test_published_values(alpha):
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
