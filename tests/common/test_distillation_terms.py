"""What every registered term of distillation promises."""

from math import log

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.registry import MODELS
from tests.common.contract import Contract, Example
from tests.common.toys import DTYPES, network_config, outputs, tensors

OLD, NEW = 3, 2


def any_new(old):
    """New classes are none of the term's business."""
    return torch.cat([old, torch.randn_like(old[:, :NEW])], 1)


def sharing(old):
    """The new classes and the background share its probability."""
    background = old[:, :1] - log(NEW + 1)
    return torch.cat([background, old[:, 1:], background.expand(-1, NEW, -1, -1)], 1)


def summing_up(old):
    """The new classes' logits and the background's add up to the teacher's background's, without
    rounding: a distance has no gradient at 0 but one of length 1 next to it."""
    new = torch.randint_like(old[:, :NEW], -9, 9)
    return torch.cat([old[:, :1] - new.sum(1, keepdim=True), old[:, 1:], new], 1)


#: The promise: logits of a student, made of the teacher's, that the term takes for equal to it.
TERMS = Contract(
    'distillation term',
    MODELS,
    'incseg.models.distillation',
    dict(
        BinaryDistillation=Example(any_new),
        FeatureDistillation=Example(any_new),
        LogitsDistillation=Example(any_new, {}, dict(alpha=1.5)),
        PooledDistillation=Example(summing_up, feature_factor=0.1, logits_factor=0.2),
        UnbiasedLogitsDistillation=Example(sharing, {}, dict(alpha=1.5)),
    ),
    __file__,
)


def alike(name, alpha=1.0):
    """A teacher, and a student equal to it."""
    teacher, student = outputs(OLD, dtype=torch.float64), outputs(OLD, dtype=torch.float64)
    torch.manual_seed(0)
    for head, logits in teacher.logits.items():
        logits.data.mul_(256).round_().div_(256)
        made = TERMS[name].promise(alpha * logits.detach())
        student.logits[head] = made.detach().requires_grad_()
    return student, teacher


def gradients(result, made):
    return torch.autograd.grad(result, tensors(made), allow_unused=True)


@TERMS.each_way()
def test_no_pull_from_the_teacher(name, options):
    """If it fails, a student that already is the teacher is moved, or somewhere else is better."""
    term = TERMS.build(name, **options)
    student, teacher = alike(name, options.get('alpha', 1.0))
    least = term(student, teacher)
    found = [gradient for gradient in gradients(least, student) if gradient is not None]
    assert found, 'the term reads nothing of the student'
    for gradient in found:
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-10)
    for seed in range(1, 4):
        other = outputs(OLD + NEW, seed, torch.float64)
        assert term(other, teacher) > least


@TERMS.each_way()
def test_gradient_is_right(name, options):
    """If it fails, the student follows something else than the term that is logged."""
    term = TERMS.build(name, loss_weight=1.7, **options)
    student, teacher = outputs(OLD + NEW, 1, torch.float64, 1), outputs(OLD, 0, torch.float64, 1)

    def value(*_):
        student._upsampled.clear()
        return term(student, teacher)

    used = [
        tensor
        for tensor, gradient in zip(tensors(student), gradients(value(), student))
        if gradient is not None
    ]
    assert torch.autograd.gradcheck(value, used)
    assert all(gradient is None for gradient in gradients(value(), teacher)), 'the teacher learns'


@TERMS.each_way()
@pytest.mark.parametrize('dtype', DTYPES, ids=str)
def test_finite_at_extremes(name, options, dtype):
    """If it fails, a sure network, or one that equals its teacher, ends the run in some type."""
    term = TERMS.build(name, **options)
    for scale in (0.0, 1e4):
        for classes, seed in ((OLD + NEW, 1), (OLD, 0)):  # the second one equals its teacher
            student, teacher = (
                outputs(number, number_of_seed, dtype, scale=scale)
                for number, number_of_seed in ((classes, seed), (OLD, 0))
            )
            result = term(student, teacher)
            assert result.shape == () and result.dtype.itemsize >= 4 and result.isfinite()
            for gradient in gradients(result, student):
                assert gradient is None or gradient.isfinite().all()


@TERMS.each_way()
def test_reads_what_it_declares(name, options):
    """If it fails, a term reads outputs that the segmentor does not keep for it."""
    term = TERMS.build(name, **options)
    assert term.reads <= {'features', 'intermediate'}
    student, teacher = outputs(OLD + NEW, 1), outputs(OLD)
    expected = term(student, teacher)
    before = [tensor.detach().clone() for tensor in tensors(student) + tensors(teacher)]
    everything = tensors(student) + tensors(teacher)
    student._upsampled.clear()
    teacher._upsampled.clear()
    assert torch.equal(term(student.only(term), teacher.only(term)), expected)
    assert all(map(torch.equal, everything, before)), 'inputs changed'


@TERMS.each_way()
def test_the_mean_over_images(name, options):
    """If it fails, a term's strength depends on the batch size, or images on one another."""
    term = TERMS.build(name, **options)
    student, teacher = (outputs(n, seed, torch.float64) for n, seed in ((OLD + NEW, 1), (OLD, 0)))

    def image(made, i):
        part = outputs(1)
        part.features = tuple(x[i : i + 1] for x in made.features)
        part.stages = tuple(x[i : i + 1] for x in made.stages)
        part.logits = {name: x[i : i + 1] for name, x in made.logits.items()}
        part.head_features = {name: x[i : i + 1] for name, x in made.head_features.items()}
        return part

    single = [term(image(student, i), image(teacher, i)) for i in range(2)]
    torch.testing.assert_close(term(student, teacher), torch.stack(single).mean())


@TERMS.each_way()
def test_loss_weight(name, options):
    """If it fails, a config's weight is ignored, or one below 0 drives away from the teacher."""
    student, teacher = outputs(OLD + NEW, 1), outputs(OLD)
    expected = TERMS.build(name, **options)(student, teacher)
    assert expected > 0
    for weight in (0, 0.5, 100):
        term = TERMS.build(name, loss_weight=weight, **options)
        torch.testing.assert_close(term(student, teacher), weight * expected)
    for gradient in gradients(
        TERMS.build(name, loss_weight=0, **options)(student, teacher), student
    ):
        assert gradient is None or not gradient.any()
    with pytest.raises(InvalidInputError, match=f'{name}.*loss_weight is -1'):
        TERMS.build(name, loss_weight=-1, **options)


@TERMS.each_way()
def test_a_part_that_the_network_lacks(name, options):
    """If it fails, a config that names no head or map of the network dies in step 1, hours later;
    or the term compares another head than the one that it is given."""
    network = MODELS.build(network_config())
    TERMS.build(name, **options).check(network)
    choice, wrong, other = (
        ('source', 'nowhere', 'aux') if TERMS.accepts(name, 'source') else ('index', 7, 0)
    )
    with pytest.raises(InvalidInputError, match=f'{choice} is {wrong!r}'):
        TERMS.build(name, **{**options, choice: wrong}).check(network)
    term = TERMS.build(name, **{**options, choice: other})
    term.check(network)
    student, teacher = outputs(OLD + NEW, 1), outputs(OLD)
    assert term(student, teacher) != TERMS.build(name, **options)(student, teacher)
    if 'intermediate' in term.reads:
        network.backbone = torch.nn.Identity()
        with pytest.raises(InvalidInputError, match='stages'):
            term.check(network)
