import math

import torch

from incseg.models.weak.refinement.affinity_net import affinity_loss

#: radius 2: the source is the middle of the upper row, its neighbours right and below
LABELS = torch.tensor([[[255, 5, 5], [0, 5, 255]]])


def test_worked_by_hand():
    """Source of class 5; right: 5, below left: 0, below: 5, below right: void.  Two pairs within
    the class, one across, none in the background."""
    affinities = torch.tensor([[[0.5], [0.2], [0.25], [0.9]]])
    expected = (-math.log(0.5) - math.log(0.25)) / 2 / 4 - math.log(0.8) / 2
    torch.testing.assert_close(
        affinity_loss(affinities, LABELS, 2), torch.tensor(expected), rtol=1e-4, atol=1e-4
    )


def test_background_counts_by_itself():
    """All background: a quarter of the mean, whatever the other kinds have."""
    affinities = torch.full((1, 4, 1), 0.5)
    loss = affinity_loss(affinities, torch.zeros(1, 2, 3, dtype=torch.uint8), 2)
    torch.testing.assert_close(loss, torch.tensor(math.log(2) / 4), rtol=1e-4, atol=1e-4)


def test_gradient_pulls_alike_together():
    """Up for pairs of one class, down for others, none where a pixel is ignored."""
    affinities = torch.full((1, 4, 1), 0.5, requires_grad=True)
    affinity_loss(affinities, LABELS, 2).backward()
    signs = affinities.grad.flatten().sign().tolist()
    assert signs == [-1, 1, -1, 0]
    assert torch.autograd.gradcheck(
        lambda a: affinity_loss(a, LABELS, 2),
        torch.rand(1, 4, 1, dtype=torch.float64).mul(0.8).add(0.1).requires_grad_(),
    )


def test_perfect_and_void():
    """Nothing to learn: 0, never NaN."""
    assert affinity_loss(torch.tensor([[[1.0], [0.0], [1.0], [0.3]]]), LABELS, 2).abs() < 1e-4
    void = torch.full((1, 2, 3), 255)
    assert affinity_loss(torch.full((1, 4, 1), 0.5), void, 2) == 0
