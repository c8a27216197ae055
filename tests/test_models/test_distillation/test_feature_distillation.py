"""ILT's registered term: which map is compared, and how it is averaged."""

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs


def outputs(*maps):
    return NetworkOutputs(tuple(maps), {}, (4, 4))


@pytest.mark.parametrize('index, expected', [(-1, (9 + 0 + 1 + 0) / 4), (0, 25.0)])
def test_by_hand(index, expected):
    """If it fails, it reads another map, or is not the mean over all elements."""
    student = outputs(torch.tensor([[[[5.0]]]]), torch.tensor([[[[3.0, 0.0], [1.0, 2.0]]]]))
    teacher = outputs(torch.tensor([[[[0.0]]]]), torch.tensor([[[[0.0, 0.0], [2.0, 2.0]]]]))
    term = MODELS.build(dict(type='FeatureDistillation', loss_weight=100.0, index=index))
    assert term(student, teacher).item() == pytest.approx(100 * expected)


def test_gradient_is_the_students():
    """If it fails, the gradient is not 2 (s - t) / elements, or the teacher gets one."""
    ours, theirs = (torch.randn(2, 3, 4, 5, dtype=torch.float64).requires_grad_() for _ in range(2))
    loss = MODELS.build(dict(type='FeatureDistillation'))(outputs(ours), outputs(theirs))
    grad, none = torch.autograd.grad(loss, [ours, theirs], allow_unused=True)
    assert none is None
    torch.testing.assert_close(grad, (2 * (ours - theirs) / ours.numel()).detach())


def test_half_types():
    """If it fails, the mean is taken in bfloat16, where adding many small numbers stands still."""
    ours = torch.randn(2, 64, 32, 32).bfloat16()
    loss = MODELS.build(dict(type='FeatureDistillation'))(outputs(ours), outputs(0 * ours))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(ours.double().square().mean().item(), rel=1e-5)


def test_in_a_network(build_pair):
    """If it fails, the student is not compared with its teacher's fused map."""
    model = build_pair(
        [4, 2],
        bisenet=True,
        distillation=dict(features=dict(type='FeatureDistillation', loss_weight=2.0)),
    ).eval()
    inputs, labels = torch.randn(1, 3, 32, 32), torch.zeros(1, 32, 32).long()
    assert model.loss(inputs, labels)['distillation.features.loss'] == 0
    with torch.no_grad():
        next(iter(model.backbone.fusion.parameters())).mul_(2)
    loss = model.loss(inputs, labels)['distillation.features.loss']
    gap = model.backbone(inputs)[-1] - model.teacher.backbone(inputs)[-1]
    assert gap.shape[1] == 256
    torch.testing.assert_close(loss, 2 * gap.square().mean())


@pytest.mark.parametrize('index', [3, -4, 'last', 1.5])
def test_bad_index(build, index):
    """If it fails, step 0 is trained before the user learns that there is no such map."""
    network = build([4], bisenet=True)
    with pytest.raises(InvalidInputError, match='index is .*, allowed: -3 to 2'):
        MODELS.build(dict(type='FeatureDistillation', index=index)).check(network)
    MODELS.build(dict(type='FeatureDistillation', index=2)).check(network)
