"""What every registered segmentation loss promises."""

import inspect

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.registry import MODELS
from tests.common.contract import Contract, Example

#: The promise: which classes are alike to the loss, so that their order makes no difference.
LOSSES = Contract(
    'loss',
    MODELS,
    'incseg.models.losses',
    dict(
        CrossEntropyLoss=Example('all'),
        UnbiasedCrossEntropyLoss=Example('within old and new'),
        BinaryCrossEntropyLoss=Example('all'),
        # every labelled pixel counts as hard
        OhemCrossEntropyLoss=Example('all', threshold=1.0, min_kept=1.0),
    ),
    __file__,
)
DTYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64)
NUM_OLD, CLASSES, VOID = 3, 6, 255


def batch(dtype=torch.float32, scale=1.0, size=(4, 5), images=2, void=True):
    """Logits, and labels at the same size of which some are void."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(images, CLASSES, *size, generator=generator, dtype=torch.float64)
    target = torch.randint(0, CLASSES, (images, *size), generator=generator, dtype=torch.uint8)
    if void:
        target[:, ::2, 1] = VOID
    return (scale * logits).to(dtype).requires_grad_(), target


def enlarged(loss, target):
    """Labels at the size of which a loss that upsamples logits by itself gets them."""
    return target.repeat_interleave(2, -1) if loss.low_resolution else target


def value(loss, logits, target, num_old=NUM_OLD, **options):
    return loss(logits, target, num_old=num_old, ignore_index=VOID, **options)


@LOSSES.each()
def test_called_by_keywords(name):
    """If it fails, a head cannot call the loss; names and defaults are the same for all."""
    parameters = inspect.signature(LOSSES.build(name).forward).parameters
    assert list(parameters)[:2] == ['logits', 'target']
    for option in ('num_old', 'ignore_index'):
        assert parameters[option].kind is inspect.Parameter.KEYWORD_ONLY, option


@LOSSES.each_way()
@pytest.mark.parametrize('dtype', DTYPES, ids=str)
def test_finite_at_extremes(name, options, dtype):
    """If it fails, a sure network's loss overflows, in some float type, and the run ends."""
    loss = LOSSES.build(name, **options)
    for scale in (1e4, 0.0):
        logits, target = batch(dtype)
        logits = (logits.detach().sign() * scale).requires_grad_()
        result = value(loss, logits, enlarged(loss, target))
        (gradient,) = torch.autograd.grad(result, logits)
        assert result.shape == () and result.dtype.itemsize >= 4 and result.isfinite()
        assert result >= 0
        assert gradient.dtype == dtype and gradient.isfinite().all()


@LOSSES.each_way()
def test_nothing_where_all_is_void(name, options):
    """If it fails, a batch without labels moves the network, or divides by zero."""
    loss = LOSSES.build(name, **options)
    logits, target = batch()
    result = value(loss, logits, enlarged(loss, torch.full_like(target, VOID)))
    (gradient,) = torch.autograd.grad(result, logits)
    assert result == 0 and not gradient.any()


@LOSSES.each_way()
def test_void_pixels_get_no_gradient(name, options):
    """If it fails, pixels that nobody labelled teach something; and the others do not."""
    logits, target = batch()
    (gradient,) = torch.autograd.grad(value(LOSSES.build(name, **options), logits, target), logits)
    reached = gradient.abs().sum(1) > 0
    assert torch.equal(reached, target != VOID)


@LOSSES.each_way()
@pytest.mark.parametrize('num_old', [1, NUM_OLD])
def test_gradient_is_right(name, options, num_old):
    """If it fails, the network descends along something else than the loss that is logged."""
    loss = LOSSES.build(name, loss_weight=1.7, **options)
    logits, target = batch(torch.float64, size=(3, 4))
    target = enlarged(loss, target)
    assert torch.autograd.gradcheck(lambda x: value(loss, x, target, num_old), (logits,))


@LOSSES.each_way()
@pytest.mark.parametrize('num_old', [2, NUM_OLD])
def test_order_of_classes(name, options, num_old):
    """If it fails, a class's place counts where it should not, or no longer where it should.

    To all of them a class is as good as the other; to an unbiased loss within the old classes,
    background included, and within the new ones.
    """
    loss = LOSSES.build(name, **options)
    logits, target = batch(torch.float64)
    within = [*reversed(range(num_old)), *reversed(range(num_old, CLASSES))]
    expected = value(loss, logits, target, num_old)
    for promise, order in (('within old and new', within), ('all', [4, 0, 5, 1, 3, 2])):
        renamed = torch.full((256,), VOID, dtype=torch.uint8)
        renamed[order] = torch.arange(CLASSES, dtype=torch.uint8)
        result = value(loss, logits[:, order], renamed[target.long()], num_old)
        alike = LOSSES[name].promise == 'all' or promise == LOSSES[name].promise
        assert torch.isclose(result, expected, rtol=1e-10) == alike, promise


@LOSSES.each_way()
def test_the_mean_over_all_pixels(name, options):
    """If it fails, images weigh by how much of them is labelled, or by their place in a batch."""
    loss = LOSSES.build(name, **options)
    logits, target = batch(torch.float64)
    target = enlarged(loss, target)
    single = [value(loss, logits[i : i + 1], target[i : i + 1]) for i in range(len(logits))]
    whole = value(loss, logits, target)
    torch.testing.assert_close(whole, torch.stack(single).mean())
    half = torch.cat([target, torch.full_like(target, VOID)])
    halves = 1 if name == 'OhemCrossEntropyLoss' else 2  # a mean over hard pixels, no others
    torch.testing.assert_close(halves * value(loss, torch.cat([logits] * 2), half), whole)


@LOSSES.each_way()
def test_the_same_however_it_is_stored(name, options):
    """If it fails, a label's type, the layout in memory or a second call changes the loss."""
    loss = LOSSES.build(name, **options)
    logits, target = batch()
    target = enlarged(loss, target)
    before = logits.detach().clone(), target.clone()
    expected = value(loss, logits, target)
    for other, labels in (
        (logits, target),
        (logits, target.long()),
        (logits.contiguous(memory_format=torch.channels_last), target),
        (logits, target.transpose(1, 2).contiguous().transpose(1, 2)),
    ):
        torch.testing.assert_close(value(loss, other, labels), expected, rtol=1e-6, atol=0)
    assert torch.equal(logits, before[0]) and torch.equal(target, before[1]), 'inputs changed'


@LOSSES.each_way()
def test_loss_weight(name, options):
    """If it fails, a config's weight is ignored, or one below 0 maximises the loss."""
    logits, target = batch()
    plain = LOSSES.build(name, **options)
    target = enlarged(plain, target)
    expected = value(plain, logits, target)
    assert expected > 0
    for weight in (0, 0.5, 3):
        result = value(LOSSES.build(name, loss_weight=weight, **options), logits, target)
        torch.testing.assert_close(result, weight * expected)
    with pytest.raises(InvalidInputError, match=f'{name}.*loss_weight is -1'):
        LOSSES.build(name, loss_weight=-1, **options)


@LOSSES.each_way()
def test_image_weight(name, options):
    """If it fails, a labeller's weight of an image (PLOP) is not a factor on that image."""
    loss = LOSSES.build(name, **options)
    logits, target = batch(torch.float64)
    target = enlarged(loss, target)
    weight = torch.tensor([0.25, 3.0], dtype=torch.float64, requires_grad=True)
    single = [value(loss, logits[i : i + 1], target[i : i + 1]) for i in range(len(logits))]
    result = value(loss, logits, target, image_weight=weight)
    torch.testing.assert_close(result, (torch.stack(single) * weight).mean())
    assert torch.autograd.grad(result, weight, allow_unused=True) == (None,)


@LOSSES.each_way(having='base_step_type')
def test_the_loss_of_the_base_step(name, options):
    """If it fails, two methods share a step 0 that they would not have trained alike."""
    loss = LOSSES.build(name, **options)
    logits, target = batch()
    target = enlarged(loss, target)
    assert torch.equal(
        value(loss, logits, target, num_old=1),
        value(LOSSES.build(loss.base_step_type, **options), logits, target, num_old=1),
    )


@LOSSES.each_way(having='soft_targets')
def test_soft_targets(name, options):
    """If it fails, a loss takes WILSON's soft labels for something else than probabilities."""
    loss = LOSSES.build(name, **options)
    assert loss.soft_targets is True
    logits, target = batch(torch.float64, void=False)
    certain = torch.nn.functional.one_hot(target.long(), CLASSES).movedim(-1, 1).double()
    torch.testing.assert_close(value(loss, logits, certain), value(loss, logits, target))
    assert torch.autograd.gradcheck(
        lambda x: value(loss, x, torch.rand_like(certain).fill_(0.3)), (logits,)
    )
