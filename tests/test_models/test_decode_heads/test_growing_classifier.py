"""The growing classifier: order of the logits and names in checkpoints."""

from unittest.mock import Mock

import pytest
import torch
import torch.nn.functional as F

from incseg.models import GrowingClassifier


@pytest.mark.parametrize('outputs_per_step', [[4], [4, 2], [16, 1, 1, 1], [1, 1], [2] + [1] * 99])
def test_one_convolution_is_the_concatenation(outputs_per_step):
    """If it fails, logits are not in learning order, so train ids mean other classes."""
    classifier = GrowingClassifier(8, outputs_per_step).double()
    for parameter in classifier.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 8, 3, 5, dtype=torch.float64)
    separate = torch.cat([conv(x) for conv in classifier.convs], 1)
    torch.testing.assert_close(classifier(x), separate, rtol=1e-12, atol=1e-14)
    assert classifier.num_outputs == sum(outputs_per_step) == separate.shape[1]


def test_it_is_evaluated_as_a_single_convolution(monkeypatch):
    """If it fails, a hundred steps cost a hundred convolutions."""
    convolve = Mock(wraps=F.conv2d)
    monkeypatch.setattr(F, 'conv2d', convolve)
    GrowingClassifier(4, [2] + [1] * 100)(torch.zeros(1, 4, 2, 2))
    assert convolve.call_count == 1


@pytest.mark.parametrize(
    ('outputs_per_step', 'num_old'),
    [([5], 1), ([5, 2], 5), ([16, 1, 1], 17), ([1, 1], 1), ([2] + [1] * 100, 101)],
)
def test_num_old(outputs_per_step, num_old):
    """If it fails, the unbiased loss draws the line between old and new in the wrong place."""
    assert GrowingClassifier(4, outputs_per_step).num_old == num_old


def test_state_dict_grows_by_names():
    """If it fails, step k cannot load the checkpoint of step k-1 by its names."""
    steps = [16, 1, 3]
    for k in range(1, 3):
        old, new = GrowingClassifier(4, steps[:k]), GrowingClassifier(4, steps[: k + 1])
        before, after = old.state_dict(), new.state_dict()
        assert before.keys() < after.keys()
        assert after.keys() - before.keys() == {f'steps.{k}.weight', f'steps.{k}.bias'}
        result = new.load_state_dict(before, strict=False)
        assert not result.unexpected_keys
        x = torch.randn(1, 4, 2, 2)
        torch.testing.assert_close(new(x)[:, : sum(steps[:k])], old(x))


def test_every_step_gets_its_gradient():
    """If it fails, some step's classifier is left out of training (DDP would hang on it)."""
    classifier = GrowingClassifier(4, [2, 1, 1])
    classifier(torch.randn(1, 4, 2, 2)).pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in classifier.parameters())


def test_initial_values():
    """If it fails, a base step starts from large logits or from shifted classes."""
    classifier = GrowingClassifier(4096, [8, 8])
    for conv in classifier.convs:
        assert not conv.state_dict()['bias'].any()
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize('outputs_per_step', [[], [0], [3, 0], [3, -1]])
def test_bad_steps(outputs_per_step):
    """If it fails, a step without classes is built and its loss means nothing."""
    with pytest.raises(ValueError, match='outputs_per_step is .*allowed: one positive number'):
        GrowingClassifier(4, outputs_per_step)
