"""Every loss against its formula, written out with loops in float64."""

import numpy as np
import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models.weak.functional import equivariant_losses

NAMES = ('loss_cls', 'loss_min', 'loss_er', 'loss_ecr')


def example(classes=3, size=(23, 20), images=2, scale=0.3, seed=0, labels=None):
    """Raw maps as a network makes them, and labels; the background of `cam` is nonsense."""
    generator = torch.Generator().manual_seed(seed)

    def maps(height, width):
        return torch.randn(
            images, 1 + classes, height, width, generator=generator, dtype=torch.float64
        )

    small = (int(size[0] * scale), int(size[1] * scale))
    cam, cam_small = maps(*size) * 3, maps(*small) * 3
    refined, refined_small = maps(*size).sigmoid(), maps(*small).sigmoid()
    if labels is None:
        labels = (torch.rand(images, classes, generator=generator) < 0.6).double()
    return cam, refined, cam_small, refined_small, torch.as_tensor(labels).double()


def resized(plane, height, width):
    """Bilinear, corners on corners, of one (h, w)."""
    result = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            y = i * (plane.shape[0] - 1) / (height - 1) if height > 1 else 0.0
            x = j * (plane.shape[1] - 1) / (width - 1) if width > 1 else 0.0
            y0, x0 = min(int(y), plane.shape[0] - 1), min(int(x), plane.shape[1] - 1)
            y1, x1 = min(y0 + 1, plane.shape[0] - 1), min(x0 + 1, plane.shape[1] - 1)
            result[i, j] = (1 - (y - y0)) * (
                (1 - (x - x0)) * plane[y0, x0] + (x - x0) * plane[y0, x1]
            ) + (y - y0) * ((1 - (x - x0)) * plane[y1, x0] + (x - x0) * plane[y1, x1])
    return result


def normed(plane):
    plane = np.maximum(plane, 0)
    low, high = plane.min(), plane.max()
    return np.maximum(plane - low - 1e-5, 0) / (high - low + 1e-5)


def target(classes):
    """(C, h, w) of the classes -> (1 + C, h, w), 1 - best first, only the best left."""
    best = classes.max(0)
    return np.stack([1 - best, *(np.where(plane == best, plane, 0) for plane in classes)])


def by_hand(cam, refined, cam_small, refined_small, labels, scale=0.3, reference=21):
    """The four losses, image by image."""
    cam, refined, cam_small, refined_small, labels = (
        x.numpy() for x in (cam, refined, cam_small, refined_small, labels)
    )
    images, classes = labels.shape
    hs, ws = cam_small.shape[-2:]
    sums = dict.fromkeys(NAMES, 0.0)
    for n in range(images):
        y = labels[n]
        with_background = [1.0, *y]
        for whole, fine in ((cam, refined), (cam_small, refined_small)):
            for c in range(classes):
                mean = whole[n, 1 + c].mean()
                probability = 1 / (1 + np.exp(-mean))
                sums['loss_cls'] -= np.log(probability if y[c] else 1 - probability) / classes / 2
            best = sorted(np.max([y[c] * fine[n, 1 + c] for c in range(classes)], 0).ravel())
            lowest = best[: len(best) // 4]
            sums['loss_min'] += np.mean([max(value, 0) for value in lowest]) / 2
        c1 = np.stack([y[c] * resized(normed(cam[n, 1 + c]), hs, ws) for c in range(classes)])
        c2 = np.stack([y[c] * normed(cam_small[n, 1 + c]) for c in range(classes)])
        q1 = np.stack(
            [
                with_background[c] * resized(normed(refined[n, c]), hs, ws)
                for c in range(1 + classes)
            ]
        )
        q2 = np.stack(
            [with_background[c] * normed(refined_small[n, c]) for c in range(1 + classes)]
        )
        sums['loss_er'] += np.abs(c1 - c2).sum() / ((reference - 1) * hs * ws)
        count = int(reference * hs * ws * 0.2)
        for goal, got in ((target(c2), q1), (target(c1), q2)):
            hard = sorted(np.abs(goal - got).ravel(), reverse=True)[:count]
            sums['loss_ecr'] += sum(hard) / count
    return {name: value / images for name, value in sums.items()}


@pytest.mark.parametrize(
    'kwargs',
    [
        dict(),
        dict(size=(10, 31)),
        dict(classes=20, size=(14, 13)),
        dict(classes=1),
        dict(images=1),
        dict(scale=0.5, size=(9, 11)),
        dict(labels=[[1, 1, 1], [0, 0, 0]]),
    ],
    ids=['plain', 'wide', 'voc', 'one class', 'one image', 'half', 'no class'],
)
@pytest.mark.parametrize('reference', [21, 4])
def test_are_the_formulas(kwargs, reference):
    """If it fails, SEAM is trained with other losses than the published ones."""
    maps = example(**kwargs)
    scale = kwargs.get('scale', 0.3)
    losses = equivariant_losses(*maps, scale=scale, ref_num_classes=reference)
    expected = by_hand(*maps, scale, reference)
    assert tuple(losses) == NAMES
    for name in NAMES:
        assert losses[name].shape == ()
        assert abs(float(losses[name]) - expected[name]) < 1e-12, name


def test_background_of_the_maps_is_ignored():
    """Channel 0 of cam is dead in the published network; that of refined is not."""
    cam, refined, cam_small, refined_small, labels = example()
    plain = equivariant_losses(cam, refined, cam_small, refined_small, labels)
    cam[:, 0], cam_small[:, 0] = float('nan'), 1e9
    assert equivariant_losses(cam, refined, cam_small, refined_small, labels) == plain
    refined[:, 0] = refined[:, 0].flip(-1)
    changed = equivariant_losses(cam, refined, cam_small, refined_small, labels)
    assert changed['loss_ecr'] != plain['loss_ecr'] and changed['loss_min'] == plain['loss_min']


@pytest.mark.parametrize('present', [1, 5])
def test_absent_classes_do_not_change_the_regularisation(present):
    """Steps of 1 and 5 classes with ref 21 have the losses of 20 classes, the others absent.

    Otherwise ER is 4 times and ECR 2 to 3.5 times as large in a step of 5
    classes as in VOC, for the same maps.
    """
    labels = torch.zeros(2, 20)
    labels[0, :present], labels[1, 0] = 1, 1
    cam, refined, cam_small, refined_small, labels = example(20, labels=labels)
    some = [x[:, : 1 + present] for x in (cam, refined, cam_small, refined_small)]
    whole = equivariant_losses(cam, refined, cam_small, refined_small, labels)
    part = equivariant_losses(*some, labels[:, :present])
    own = equivariant_losses(*some, labels[:, :present], ref_num_classes=None)
    for name in ('loss_min', 'loss_er', 'loss_ecr'):
        assert abs(whole[name] - part[name]) < 1e-12, name
    assert float(own['loss_er'] / part['loss_er']) == pytest.approx(20 / present, rel=1e-9)
    assert own['loss_ecr'] > 1.5 * part['loss_ecr']


def test_gradient_stops():
    """Classification and ER see the class maps alone, min-pooling and ECR the refined alone."""
    for name in NAMES:
        maps = [x.requires_grad_() for x in example()[:4]]
        equivariant_losses(*maps, example()[4])[name].backward()
        touched = [x.grad is not None and bool(x.grad.any()) for x in maps]
        first = name in ('loss_cls', 'loss_er')
        assert touched == [first, not first, first, not first], name


def test_gradients_are_those_of_the_formulas():
    """Finite differences of the sum of all four."""
    *maps, labels = example(classes=2, size=(8, 9), labels=[[1, 1], [0, 1]])
    cam, refined, cam_small, refined_small = (x.requires_grad_() for x in maps)

    def total(cam, cam_small):  # ECR's targets move with them, but have no gradient
        losses = equivariant_losses(cam, refined, cam_small, refined_small, labels)
        return losses['loss_cls'] + losses['loss_er']

    def rest(refined, refined_small):
        losses = equivariant_losses(cam, refined, cam_small, refined_small, labels)
        return losses['loss_min'] + losses['loss_ecr']

    assert torch.autograd.gradcheck(total, (cam, cam_small))
    assert torch.autograd.gradcheck(rest, (refined, refined_small))


def test_an_image_without_any_class():
    """All labels 0: finite losses and gradients, and nothing to regularise but the background."""
    *maps, labels = example(labels=torch.zeros(2, 3))
    maps = [x.requires_grad_() for x in maps]
    losses = equivariant_losses(*maps, labels)
    sum(losses.values()).backward()
    assert losses['loss_er'] == losses['loss_min'] == 0 < losses['loss_cls']
    assert all(x.grad.isfinite().all() for x in maps)


def test_labels_of_any_type():
    """uint8 and bool labels are as good as floats."""
    *maps, labels = example()
    plain = equivariant_losses(*maps, labels)
    for dtype in (torch.uint8, torch.bool, torch.float32):
        assert equivariant_losses(*maps, labels.to(dtype)) == plain


def test_half_types_are_raised():
    """Maps of a network under autocast give what their float32 copies give."""
    *maps, labels = example()
    half = [x.bfloat16() for x in maps]
    with torch.autocast('cpu', torch.bfloat16):
        losses = equivariant_losses(*half, labels)
    expected = equivariant_losses(*(x.float() for x in half), labels)
    for name in NAMES:
        assert losses[name].dtype == torch.float32
        assert losses[name] == expected[name]


@pytest.mark.parametrize(
    ('shape', 'labels'), [((0, 3, 8, 8), (0, 2)), ((2, 1, 8, 8), (2, 0)), ((2, 3, 1, 8), (2, 2))]
)
def test_nothing_to_compare(shape, labels):
    """No image, no class or no pixel: said, where NaN or an IndexError would come."""
    cam = torch.zeros(shape)
    with pytest.raises(InvalidInputError, match='with an image and a class at least, and a pixel'):
        equivariant_losses(cam, cam, cam, cam, torch.zeros(labels), scale=0.5)


@pytest.mark.parametrize(
    ('index', 'change', 'message'),
    [
        (2, lambda x: x[..., :-1], r'cam_small is \(2, 4, 6, 5\), expected \(2, 4, 6, 6\)'),
        (1, lambda x: x[:, 1:], r'refined is \(2, 3, 23, 20\), expected \(2, 4, 23, 20\)'),
        (4, lambda x: x[:, :2], r'image_labels is \(2, 2\), expected \(2, 3\)'),
        (4, lambda x: x + 1, 'image_labels has other values than 0 and 1'),
    ],
)
def test_sizes_that_do_not_fit(index, change, message):
    """Broadcasting would hide a forgotten background or another scale."""
    given = list(example())
    given[index] = change(given[index])
    with pytest.raises(InvalidInputError, match=message):
        equivariant_losses(*given)
