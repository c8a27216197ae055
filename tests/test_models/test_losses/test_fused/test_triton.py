"""The GPU kernel: its arithmetic in the interpreter, and the sum of its results."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from packaging.version import Version

triton = pytest.importorskip('triton', reason='Triton comes with the CUDA builds of torch')

#: Triton's interpreter then makes a number of an array with one element, which numpy refuses
TOO_OLD = Version(triton.__version__) < Version('3.7') and Version(np.__version__) >= Version('2.4')

VALUES = """
import torch
from incseg.models.losses.fused.row_chunks import RowChunks
from incseg.models.losses.fused.triton_losses import losses_in_triton, serves

def close(kernel, chunks):
    for name, expected in vars(chunks).items():
        value = getattr(kernel, name)
        assert (value is None) == (expected is None), name
        if expected is not None:
            gap = (value - expected).abs().max()
            assert gap <= 5e-6 * expected.abs().max().clamp(min=1e-9), (name, gap)

for channels, teacher, num_old, unbiased, low, full, scale in [
        (6, 4, 4, True, (2, 3), (16, 24), 3.),      # MiB at 1/8
        (6, 4, 0, True, (2, 3), (5, 8), 3.),      # plain cross-entropy, sizes that do not divide
        (6, 4, 1, False, (3, 2), (6, 4), 3.),       # LwF
        (6, 0, 4, True, (1, 2), (4, 8), 3.),      # an auxiliary head
        (40, 33, 33, True, (1, 1), (4, 4), 3.),     # more channels than one block
        (2, 1, 1, True, (1, 2), (3, 5), 3.),        # no old class
        (6, 6, 6, True, (1, 2), (3, 5), 3.),        # no new class
        (6, 4, 4, True, (1, 1), (9, 9), 3.),        # one logit
        (6, 4, 4, True, (2, 3), (4, 6), 2000.)]:  # logits far apart
    torch.manual_seed(channels)
    logits = scale * torch.randn(2, channels, *low)
    known = scale * torch.randn(2, teacher, *low) if teacher else None
    target = torch.randint(0, channels, (2, *full)).to(torch.uint8)
    target[0, :2] = 255
    assert serves(logits, teacher, num_old, full)
    channels_last = logits.contiguous(memory_format=torch.channels_last)
    for x in (logits, channels_last) if full == (16, 24) else (logits,):
        close(losses_in_triton(x, known, target, full, num_old, unbiased, 255, True),
              RowChunks(channels, teacher, num_old, unbiased, 255, True).run(
                  logits, known, target, full))

weight = torch.tensor([.25, 0.])
for known, num_old in ((None, 4), (torch.randn(2, 4, 1, 2), 4), (torch.randn(2, 4, 1, 2), 0)):
    logits, target = torch.randn(2, 6, 1, 2), torch.randint(0, 6, (2, 4, 6)).to(torch.uint8)
    arguments = (logits, known, target, (4, 6))
    close(losses_in_triton(*arguments, num_old, True, 255, True, weight),
          RowChunks(6, 4 if known is not None else 0, num_old, True, 255, True).run(
              *arguments, weight))
logits, known, full = torch.randn(2, 6, 1, 2), torch.randn(2, 4, 1, 2), (4, 6)

only = losses_in_triton(logits, known, None, full, 4, True, 255, False)
assert only.cross_entropy is only.distillation_grad is None and only.distillation > 0
assert not serves(logits.double(), 4, 4, full)
assert not serves(logits, 4, 3, full)
assert not serves(logits, 4, 4, (1, 1))

wide = torch.randn(2, 6, 4, 6)[..., 1::2, ::3]  # strides that no layout has, and labels likewise
labels = torch.randint(0, 6, (2, 6, 4)).transpose(1, 2)
close(losses_in_triton(wide, None, labels, (4, 6), 4, True, -1, True),
      RowChunks(6, 0, 4, True, -1, True).run(wide, None, labels, (4, 6)))
"""

NAN = """
import torch
from incseg.models.losses.fused.incremental import plain_losses
from incseg.models.losses.fused.row_chunks import RowChunks
from incseg.models.losses.fused.triton_losses import losses_in_triton

for teacher, unbiased in ((True, True), (True, False), (False, True)):
    for place in range(5 if teacher else 3):  # a channel of the student, then of the teacher
        maps = torch.randn(1, 5, 1, 1)
        maps[0, place] = float('nan')
        logits, known = maps[:, :3].requires_grad_(), maps[:, 3:] if teacher else None
        target = torch.tensor([[[0, 2]]])
        rest = known, target, (1, 2), 2, unbiased, 255
        plain = plain_losses(logits, *rest)
        chunks = RowChunks(3, 2 * teacher, 2, unbiased, 255, True).run(
            logits.detach(), known, target, (1, 2))
        for found in (losses_in_triton(logits.detach(), *rest, True), chunks):
            pairs = [(plain[0], found.cross_entropy, found.cross_entropy_grad)]
            if teacher:
                pairs.append((plain[1], found.distillation, found.distillation_grad))
            for loss, ours, grad in pairs:
                where = teacher, unbiased, place, type(found)
                assert ours.isnan() == loss.isnan(), where
                (expected,) = torch.autograd.grad(loss, logits, retain_graph=True)
                assert grad.isnan()[expected.isnan()].all(), where
"""

INFINITE = """
import torch
from incseg.models.losses.fused.incremental import plain_losses
from incseg.models.losses.fused.triton_losses import losses_in_triton

for teacher, unbiased in ((True, True), (True, False), (False, True)):
    for place in range(5 if teacher else 3):  # a channel of the student, then of the teacher
        for value in (float('inf'), -float('inf')):
            torch.manual_seed(0)
            maps = torch.randn(1, 5, 1, 1)
            maps[0, place] = value
            logits, known = maps[:, :3], maps[:, 3:] if teacher else None
            rest = known, torch.tensor([[[0, 2]]]), (1, 2), 2, unbiased, 255
            plain = plain_losses(logits, *rest)
            found = losses_in_triton(logits, *rest, False)
            pairs = [(plain[0], found.cross_entropy)]
            if teacher:
                pairs.append((plain[1], found.distillation))
            for loss, ours in pairs:
                where = teacher, unbiased, place, value, loss, ours
                assert ours.isfinite() == loss.isfinite(), where
                assert not loss.isfinite() or (ours - loss).abs() < 1e-5, where
"""

FOREIGN = """
import torch
from incseg.models.losses.fused.triton_losses import losses_in_triton

def loss(label, dtype, num_old, ignore_index=255):
    target = torch.tensor([[[0, label]]], dtype=dtype)
    found = losses_in_triton(
        torch.randn(1, 3, 1, 1), None, target, (1, 2), num_old, True, ignore_index, True)
    assert found.cross_entropy_grad.isfinite().all()
    return found.cross_entropy

for label, dtype, num_old in ((-1, torch.int64, 2), (-1, torch.int64, 0), (3, torch.uint8, 2),
                              (2**32 + 1, torch.int64, 0)):
    assert loss(label, dtype, num_old).isnan(), (label, num_old)
assert loss(-1, torch.int64, 2, ignore_index=-1).isfinite()
assert loss(2, torch.uint8, 2, ignore_index=-1).isfinite()
"""


@pytest.mark.skipif(
    TOO_OLD, reason=f'the interpreter of Triton {triton.__version__} fails with numpy >= 2.4'
)
@pytest.mark.parametrize(
    'script', [VALUES, NAN, INFINITE, FOREIGN], ids=['values', 'NaN', 'infinite', 'foreign labels']
)
def test_kernel_in_the_interpreter(script):
    """If it fails, training on a GPU is not what training on a CPU is; or a broken network, or a
    label that no class has, stays unseen there."""
    done = subprocess.run(
        [sys.executable, '-c', script],
        env=dict(os.environ, TRITON_INTERPRET='1'),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


triton_losses = pytest.importorskip('incseg.models.losses.fused.triton_losses')


@pytest.mark.parametrize('height, width', [(1, 1), (3, 2), (2, 5)])
def test_fold_corners(height, width):
    """If it fails, logits at the border or at a corner learn too little or twice."""
    corners = torch.randn(2, height + 1, width + 1, 2, 2, 2, 3, dtype=torch.float64)
    expected = torch.zeros(2, height, width, 2, 3, dtype=torch.float64)
    for row in range(height + 1):
        for column in range(width + 1):
            for down in range(2):
                for across in range(2):
                    y = min(max(row - 1 + down, 0), height - 1)
                    x = min(max(column - 1 + across, 0), width - 1)
                    expected[:, y, x] += corners[:, row, column, :, down, across]
    torch.testing.assert_close(triton_losses.fold_corners(corners), expected)
