import pytest
import torch

from incseg.models.weak import SEAMHead
from incseg.models.weak.functional import cam_scores, pixel_correlation, resize_corners


def make(**kwargs):
    torch.manual_seed(0)
    head = SEAMHead((5, 6, 7), 3, side_channels=(4, 8), affinity_channels=10, **kwargs)
    taps = [torch.rand(2, channels, 6, 4).requires_grad_() for channels in (5, 6, 7)]
    return head.eval(), taps, torch.randn(2, 3, 48, 32)


def test_is_the_published_chain():
    """Scores of the raw maps, refined by colour and two projected taps, colour first.

    Another order, a ReLU after the last projection or taps that are not
    rectified would spoil published weights.
    """
    head, taps, images = make()
    cam, refined = head(taps, images)
    activations = torch.einsum('kc,nchw->nkhw', head.classifier.weight[:, :, 0, 0], taps[2])
    assert not cam[:, 0].any()
    torch.testing.assert_close(cam[:, 1:], activations)
    shallow, middle = (
        torch.einsum('kc,nchw->nkhw', layer.weight[:, :, 0, 0], tap).relu()
        for layer, tap in ((head.project_shallow, taps[0]), (head.project_middle, taps[1]))
    )
    stacked = torch.cat([resize_corners(images, (6, 4)), shallow, middle], 1)
    features = torch.einsum('kc,nchw->nkhw', head.project_all.weight[:, :, 0, 0], stacked)
    assert (features < 0).any()
    torch.testing.assert_close(refined, pixel_correlation(cam_scores(activations), features))


def test_published_shape_and_start():
    """512 -> 64, 1024 -> 128, 195 -> 192, no biases; the spread of the published start."""
    head = SEAMHead((512, 1024, 4096), 20)
    shapes = {name: tuple(value.shape[:2]) for name, value in head.named_parameters()}
    assert shapes == {
        'classifier.weight': (20, 4096),
        'project_shallow.weight': (64, 512),
        'project_middle.weight': (128, 1024),
        'project_all.weight': (192, 195),
    }
    spread = {name: value.std().item() for name, value in head.named_parameters()}
    expected = {
        'classifier.weight': (2 / 4116) ** 0.5,
        'project_shallow.weight': (2 / 512) ** 0.5,
        'project_middle.weight': (2 / 1024) ** 0.5,
        'project_all.weight': 4 * (2 / 387) ** 0.5,
    }
    assert spread == pytest.approx(expected, rel=0.03)
    assert head.dropout.p == 0.5


@pytest.mark.parametrize('which', [0, 1])
def test_gradient_stops(which):
    """The maps train the classifier and what is below; the refined ones the projections alone."""
    head, taps, images = make()
    head(taps, images)[which].square().sum().backward()
    trained = {
        name.partition('.')[0] for name, value in head.named_parameters() if value.grad is not None
    }
    assert trained == (
        {'classifier'} if which == 0 else {'project_shallow', 'project_middle', 'project_all'}
    )
    assert [tap.grad is not None for tap in taps] == [False, False, which == 0]


def test_taps_of_several_sizes():
    """A backbone with stride 8, 16 and 32: likeness at the finest size, maps at the coarsest."""
    head, taps, images = make()
    sizes = ((6, 4), (3, 2), (2, 1))
    taps = [resize_corners(tap, size) for tap, size in zip(taps, sizes)]
    cam, refined = head(taps, images)
    assert cam.shape == (2, 4, 2, 1) and refined.shape == (2, 4, 6, 4)
    assert refined.isfinite().all()


def test_chunks_where_no_gradient_is_recorded():
    """Large images at inference: a bounded memory, the same numbers."""
    head, taps, images = make(chunk=5)
    dense = head(taps, images)[1].detach()
    with torch.no_grad():
        torch.testing.assert_close(head(taps, images)[1], dense, rtol=0, atol=1e-6)
