"""What every registered refinement of pseudo-labels promises."""

import pytest
import torch

from incseg.registry import MODELS
from tests.common.contract import Contract, Example
from tests.common.toys import ToyBackbone

NET = dict(type='AffinityNet', backbone=dict(type=ToyBackbone.__name__), channels=(2, 2, 2))
#: The promise: what the scores of a pixel add up to.  'one'; 'as before' if that is the same number
#: in all pixels; 'less' where that holds but for the image's border.
REFINEMENTS = Contract(
    'refinement',
    MODELS,
    'incseg.models.weak.refinement',
    dict(
        AffinityRandomWalk=Example('less', net=NET, doublings=2),
        DenseCRF=Example('one', num_iters=3),
        NoRefinement=Example('as before'),
        PAMR=Example('as before', num_iters=2),
    ),
    __file__,
    but=('incseg.models.weak.refinement.affinity_net',),
)
SIZES = pytest.mark.parametrize('size', [(1, 1), (3, 50), (27, 33)], ids=str)


def image_and_scores(size, classes=3):
    """An image in two colours, noisy, and scores that add up to 1 in each pixel."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 60, (3, *size), generator=generator)
    image[:, :, size[1] // 2 :] += 150
    scores = torch.rand(classes, *size, generator=generator)
    return image.to(torch.uint8), scores / scores.sum(0)


def build(name):
    torch.manual_seed(0)
    return REFINEMENTS.build(name)


@REFINEMENTS.each()
@SIZES
@pytest.mark.parametrize('classes', [1, 3])
def test_shape_and_limits(name, size, classes):
    """If it fails, an image's scores do not fit it, or are none any more."""
    image, scores = image_and_scores(size, classes)
    refined = build(name).refine(image, scores)
    assert refined.shape == scores.shape and refined.dtype == scores.dtype
    assert not refined.requires_grad
    assert refined.isfinite().all() and refined.min() >= 0 and refined.max() <= 1 + 1e-5
    total, promise = refined.sum(0), REFINEMENTS[name].promise
    if promise == 'less':
        assert (total <= 1 + 1e-5).all()
        whole = total[: size[0] // 8 * 8 - 8, : size[1] // 8 * 8 - 8]
        torch.testing.assert_close(whole, torch.ones_like(whole), rtol=0.2, atol=0)
    else:
        torch.testing.assert_close(total, torch.ones_like(total))


@REFINEMENTS.each()
@pytest.mark.parametrize('value', [0.0, 1.0])
def test_finite_at_extremes(name, value):
    """If it fails, an image of one colour, or scores of 0, make NaN of its pseudo-labels."""
    refinement = build(name)
    for colour in (0, 255):
        image = torch.full((3, 17, 19), colour, dtype=torch.uint8)
        refined = refinement.refine(image, torch.full((2, 17, 19), value))
        assert refined.isfinite().all()
        torch.testing.assert_close(refined[0], refined[1])


@REFINEMENTS.each()
def test_order_of_classes(name):
    """If it fails, a class's place among the maps counts."""
    image, scores = image_and_scores((27, 33))
    order = torch.tensor([2, 0, 1])
    refinement = build(name)
    torch.testing.assert_close(
        refinement.refine(image, scores[order]), refinement.refine(image, scores)[order]
    )


@REFINEMENTS.each()
def test_the_same_again(name):
    """If it fails, pseudo-labels depend on what was refined before, or on the image's type; or
    image and scores are spoiled for who reads them next."""
    image, scores = image_and_scores((27, 33))
    before = image.clone(), scores.clone()
    refinement = build(name)
    first = refinement.refine(image, scores).clone()
    refinement.refine(*image_and_scores((9, 50)))
    assert torch.equal(refinement.refine(image, scores), first)
    torch.testing.assert_close(refinement.refine(image.float(), scores), first)
    assert torch.equal(image, before[0]) and torch.equal(scores, before[1])
