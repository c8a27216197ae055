"""How new classifiers start: at random, or as MiB does (the invariants of spec 1.3)."""

from copy import deepcopy
from math import log

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models import GrowingClassifier
from incseg.models.losses.functional import unbiased_distillation
from incseg.registry import MODELS


def grown(outputs_per_step: list[int]) -> tuple[GrowingClassifier, GrowingClassifier]:
    """(Teacher with trained-looking weights, student after the initialisation)."""
    teacher = GrowingClassifier(8, outputs_per_step[:-1]).double()
    student = GrowingClassifier(8, outputs_per_step).double()
    for parameter in [*teacher.parameters(), *student.parameters()]:
        torch.nn.init.normal_(parameter)
    student.load_state_dict(teacher.state_dict(), strict=False)
    MODELS.build(dict(type='BackgroundBalancedInit'))(student)
    return teacher, student


@pytest.mark.parametrize('steps', [[4, 2], [16, 5], [16, 1, 1], [1, 1], [2] + [1] * 20, [3, 100]])
def test_background_is_shared_out(steps):
    """If it fails, new classes start as noise and the first updates wreck the old ones."""
    teacher, student = grown(steps)
    x = torch.randn(2, 8, 3, 3, dtype=torch.float64)
    before, after = teacher(x).softmax(1), student(x).softmax(1)
    k, n = sum(steps[:-1]), steps[-1]
    share = before[:, :1] / (n + 1)
    torch.testing.assert_close(after[:, :1], share, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(after[:, k:], share.expand(-1, n, -1, -1), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(after[:, 1:k], before[:, 1:], rtol=1e-12, atol=1e-15)
    entropy = -(before * before.log()).sum(1).mean() / k
    torch.testing.assert_close(unbiased_distillation(student(x), teacher(x)), entropy)


def test_what_it_writes():
    """If it fails, weights other than the new ones and the background's bias were touched."""
    teacher, student = grown([3, 2])
    before, after = teacher.state_dict(), student.state_dict()
    old, new = after['steps.0.bias'], after['steps.1.bias']
    assert torch.equal(after['steps.0.weight'], before['steps.0.weight'])
    assert torch.equal(old[1:], before['steps.0.bias'][1:])
    assert old[0].item() == pytest.approx(before['steps.0.bias'][0].item() - log(3), abs=1e-15)
    assert torch.equal(after['steps.1.weight'], before['steps.0.weight'][:1].expand(2, -1, -1, -1))
    assert torch.equal(new, old[:1].expand(2))
    assert all(parameter.requires_grad for parameter in student.parameters())


def test_only_the_newest_step():
    """If it fails, a later step re-initialises the classes of an earlier one."""
    teacher, student = grown([3, 2, 2])
    for name, value in teacher.convs[1].state_dict().items():
        assert torch.equal(student.convs[1].state_dict()[name], value)


def test_a_single_step_has_nothing_to_initialise():
    """If it fails, step 0's background is overwritten by itself, shifted."""
    classifier = GrowingClassifier(4, [3])
    before = deepcopy(classifier.state_dict())
    with pytest.raises(ValueError, match='no new classes'):
        MODELS.build(dict(type='BackgroundBalancedInit'))(classifier)
    assert all(torch.equal(before[k], v) for k, v in classifier.state_dict().items())


@pytest.mark.parametrize('std', [0.01, 0.5])
def test_only_the_newest_classifier(std):
    """If it fails, old classes are lost, or new ones start at another scale than asked."""
    classifier = GrowingClassifier(2048, [3, 4, 5])
    for parameter in classifier.parameters():
        torch.nn.init.constant_(parameter, 7.0)
    MODELS.build(dict(type='RandomInit', std=std))(classifier)
    *old, new = classifier.convs
    assert all((parameter == 7).all() for conv in old for parameter in conv.parameters())
    assert not new.state_dict()['bias'].any()
    assert new.weight.mean().item() == pytest.approx(0, abs=std / 20)
    assert new.weight.std().item() == pytest.approx(std, rel=0.05)


def test_the_published_start():
    """If it fails, `std=None` is not torch's own start: uniform weights *and* biases."""
    torch.manual_seed(0)
    classifier = GrowingClassifier(400, [50, 50], init_std=None)
    MODELS.build(dict(type='RandomInit', std=None))(classifier)
    for conv in classifier.convs:
        for values in (conv.weight, conv.bias):
            assert 0.7 * 400**-0.5 < values.abs().max() <= 400**-0.5
    with pytest.raises(InvalidInputError, match='RandomInit std is -1, expected'):
        MODELS.build(dict(type='RandomInit', std=-1))
