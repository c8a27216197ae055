"""The loss kernel on a GPU: ``python -m pytest -m cuda`` (skipped, with the reason, elsewhere)."""

import pytest
import torch

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU'),
]


@pytest.mark.parametrize('num_old', [0, 16])
def test_fused_losses_are_the_plain_ones(num_old):
    """The kernel's losses and gradients, and that no full-size tensor is made."""
    from incseg.models.losses.fused import fused_incremental_loss, fused_losses
    from incseg.models.losses.fused.incremental import plain_losses

    torch.manual_seed(0)
    logits = torch.randn(4, 21, 64, 64, device='cuda', requires_grad=True)
    teacher = torch.randn(4, 16, 64, 64, device='cuda')
    target = torch.randint(0, 21, (4, 512, 512), device='cuda', dtype=torch.uint8)
    target[0, :100] = 255
    loss = fused_incremental_loss(logits, teacher, target, num_old, 10.0)
    (grad,) = torch.autograd.grad(loss, logits)
    terms = plain_losses(logits, teacher, target, (512, 512), num_old, True, 255)
    plain = terms[0] + 10 * terms[1]
    (expected,) = torch.autograd.grad(plain, logits)
    assert loss.item() == pytest.approx(plain.item(), rel=1e-5)
    assert (grad - expected).abs().max() < 1e-5 * expected.abs().max()
    again = torch.autograd.grad(
        fused_incremental_loss(logits, teacher, target, num_old, 10.0), logits
    )[0]
    assert torch.equal(grad, again), 'it repeats, bit for bit'
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    sum(fused_losses(logits, teacher, target, num_old=num_old)).backward()
    full_size = 4 * 21 * 512 * 512 * 4
    assert torch.cuda.max_memory_allocated() - before < full_size / 2


@pytest.mark.parametrize(
    'channels, teacher, num_old, unbiased, low, full, dtype',
    [
        (40, 33, 33, True, (3, 5), (24, 40), torch.uint8),  # more channels than one block
        (1001, 751, 751, True, (2, 3), (16, 24), torch.int64),  # very many classes
        (21, 16, 1, False, (4, 4), (32, 32), torch.uint8),  # LwF
        (21, 16, 0, True, (5, 7), (33, 50), torch.uint8),  # sizes that do not divide
        (6, 4, 4, True, (1, 1), (9, 9), torch.uint8),  # one logit
        (6, 0, 4, True, (2, 3), (16, 24), torch.uint8),
    ],
)  # an auxiliary head
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_the_kernel_at_its_limits(channels, teacher, num_old, unbiased, low, full, dtype, layout):
    """What the interpreter shows on a CPU holds for the compiled kernel."""
    from incseg.models.losses.fused import fused_losses
    from incseg.models.losses.fused.incremental import plain_losses

    torch.manual_seed(channels)
    logits = (
        torch.randn(2, channels, *low, device='cuda')
        .contiguous(memory_format=layout)
        .requires_grad_()
    )
    known = torch.randn(2, teacher, *low, device='cuda') if teacher else None
    target = torch.randint(0, min(channels, 255), (2, *full), device='cuda').to(dtype)
    target[0, :2] = 255
    found = fused_losses(logits, known, target, num_old=num_old, unbiased=unbiased)
    expected = plain_losses(logits, known, target, full, num_old, unbiased, 255)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    grads = [torch.autograd.grad(sum(losses), logits)[0] for losses in (found, expected)]
    assert (grads[0] - grads[1]).abs().max() < 1e-5 * grads[1].abs().max()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_types(dtype):
    """Logits of half types are rounded once, before the kernel; the gradient has their type."""
    from incseg.models.losses.fused import fused_losses

    torch.manual_seed(0)
    logits = torch.randn(2, 6, 8, 8, device='cuda').to(dtype).requires_grad_()
    known = torch.randn(2, 4, 8, 8, device='cuda').to(dtype)
    target = torch.randint(0, 6, (2, 64, 64), device='cuda').to(torch.uint8)
    wide = logits.detach().float().requires_grad_()
    found = fused_losses(logits, known, target, num_old=4)
    expected = fused_losses(wide, known.float(), target, num_old=4)
    assert torch.equal(torch.stack(found), torch.stack(expected))
    (grad,), (other,) = (
        torch.autograd.grad(sum(x), y) for x, y in ((found, logits), (expected, wide))
    )
    assert grad.dtype == dtype and torch.equal(grad, other.to(dtype))


@pytest.mark.parametrize('channel', [0, 3, 5])
def test_not_a_number(channel):
    """NaN in one channel, be it background, old or new, makes the losses NaN."""
    from incseg.models.losses.fused import fused_losses

    logits = torch.randn(1, 6, 4, 4, device='cuda')
    logits[0, channel, 1, 2] = float('nan')
    target = torch.zeros(1, 32, 32, dtype=torch.uint8, device='cuda')
    losses = fused_losses(logits, torch.randn(1, 4, 4, 4, device='cuda'), target, num_old=4)
    assert all(loss.isnan() for loss in losses)


@pytest.mark.parametrize('label', [-1, 6, 2**32 + 1])
@pytest.mark.parametrize('num_old', [0, 4])
def test_a_foreign_label(label, num_old):
    """A label that no class has makes the cross-entropy NaN, where a CPU refuses it."""
    from incseg.models.losses.fused import fused_losses

    logits = torch.randn(1, 6, 4, 4, device='cuda', requires_grad=True)
    target = torch.zeros(1, 32, 32, dtype=torch.int64, device='cuda')
    target[0, 5, 7] = label
    loss = fused_losses(logits, None, target, num_old=num_old)[0]
    assert loss.isnan()
