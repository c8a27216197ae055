import numpy as np
import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models.weak.functional import pixel_correlation, resize_corners


def by_hand(cam, features):
    """The formula, pixel by pixel; one image, float64, cam at the features' size."""
    cam, features = cam.reshape(len(cam), -1), features.reshape(len(features), -1)
    pixels = features.shape[1]
    unit = [features[:, i] / (np.sqrt((features[:, i] ** 2).sum()) + 1e-5) for i in range(pixels)]
    refined = np.zeros((len(cam), pixels))
    for j in range(pixels):
        weights = [max(0.0, float(unit[i] @ unit[j])) for i in range(pixels)]
        for c in range(len(cam)):
            refined[c, j] = sum(cam[c, i] * weights[i] for i in range(pixels)) / (
                sum(weights) + 1e-5
            )
    return refined


def example(channels=3, size=(4, 5), seed=0):
    generator = torch.Generator().manual_seed(seed)
    cam = torch.rand(2, channels, *size, generator=generator, dtype=torch.float64)
    features = torch.randn(2, 6, *size, generator=generator, dtype=torch.float64)
    return cam, features


def test_is_the_formula():
    """If it fails, pseudo-labels are refined by something else than the paper's likeness."""
    cam, features = example()
    refined = pixel_correlation(cam, features)
    for image in range(2):
        expected = by_hand(cam[image].numpy(), features[image].numpy())
        np.testing.assert_allclose(refined[image].flatten(1).numpy(), expected, rtol=0, atol=1e-14)


def test_cam_is_used_as_given():
    """Twice the scores give twice the result: nothing is normalised or rectified inside."""
    cam, features = example()
    torch.testing.assert_close(
        pixel_correlation(2 * cam - 1, features),
        2 * pixel_correlation(cam, features) - pixel_correlation(torch.ones_like(cam), features),
    )


def test_weights_sum_to_one():
    """Columns of the affinity sum to 1 but for eps: a constant map stays what it is."""
    cam, features = example()
    refined = pixel_correlation(torch.full_like(cam, 3.0), features)
    assert (refined < 3).all() and (3 - refined).max() < 3e-4


def test_the_size_of_the_features_counts():
    """A smaller map is brought to the features' size, corners on corners."""
    cam, features = example()
    small = cam[..., :2, :3]
    refined = pixel_correlation(small, features)
    assert refined.shape[-2:] == features.shape[-2:]
    assert torch.equal(refined, pixel_correlation(resize_corners(small, (4, 5)), features))


@pytest.mark.parametrize('chunk', [1, 3, 7, 20, 64])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_chunks_give_the_same(chunk, dtype):
    """Values and gradients do not depend on how many pixels are done at a time."""
    results = []
    for size in (None, chunk):
        cam, features = (x.to(dtype).requires_grad_() for x in example())
        refined = pixel_correlation(cam, features, size)
        refined.square().sum().backward()
        results.append((refined.detach(), cam.grad, features.grad))
    atol = 1e-6 if dtype == torch.float32 else 1e-14
    for dense, chunked in zip(*results):
        assert chunked.abs().max() > 1e-3
        torch.testing.assert_close(chunked, dense, rtol=0, atol=atol)


def test_chunks_bound_what_is_kept_for_the_backward_pass():
    """If it fails, chunks save nothing in training: every chunk's affinity is kept."""

    def kept(chunk):
        largest = 0

        def pack(tensor):
            nonlocal largest
            largest = max(largest, tensor.numel())
            return tensor

        cam, features = (x.requires_grad_() for x in example(size=(16, 16)))
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            pixel_correlation(cam, features, chunk)
        return largest

    assert kept(None) == 2 * 256 * 256
    assert kept(8) < 2 * 256 * 16


def test_gradient_is_that_of_the_formula():
    """Finite differences; the clip at 0 is not met by accident."""
    cam, features = example(size=(2, 3))
    assert torch.autograd.gradcheck(
        pixel_correlation, (cam.requires_grad_(), features.requires_grad_())
    )


def test_a_pixel_without_features():
    """Zero features are like nothing, not even themselves: 0, and no NaN in the gradient."""
    cam, features = example()
    features[0, :, 1, 2] = 0
    features.requires_grad_()
    refined = pixel_correlation(cam, features)
    refined.sum().backward()
    assert not refined[0, :, 1, 2].any() and refined[1, :, 1, 2].all()
    assert not features.grad.isnan().any()


def test_autocast_does_not_reach_inside():
    """If it fails, 3136 likenesses are summed in bfloat16."""
    cam, features = (x.float() for x in example())
    plain = pixel_correlation(cam, features)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(pixel_correlation(cam, features), plain)
        half = pixel_correlation(cam, features.bfloat16())
    assert half.dtype == torch.float32
    assert torch.equal(half, pixel_correlation(cam, features.bfloat16().float()))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(cam=torch.ones(2, 3, 4, 5)), r'cam and features is \(\(2, 3, 4, 5\), \(1, 6'),
        (dict(cam=torch.ones(3, 4, 5)), r'cam and features is \(\(3, 4, 5\), '),
        (dict(chunk=0), 'chunk is 0, expected a whole number of at least 1, or None'),
        (dict(chunk=2.5), 'chunk is 2.5, expected a whole number'),
    ],
)
def test_shapes_that_do_not_fit(arguments, message):
    """If it fails, one image's features are broadcast to another's scores."""
    fitting = dict(cam=torch.ones(1, 3, 4, 5), features=torch.ones(1, 6, 4, 5))
    with pytest.raises(InvalidInputError, match=message):
        pixel_correlation(**{**fitting, **arguments})
