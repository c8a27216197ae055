"""The registered terms on maps: ILT's one map, PLOP's pooled layers."""

from math import sqrt

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models.losses.functional import pooled_distillation
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs


def of_maps(*maps):
    return NetworkOutputs(tuple(maps), {}, (4, 4))


@pytest.mark.parametrize('index, expected', [(-1, (9 + 0 + 1 + 0) / 4), (0, 25.0)])
def test_by_hand(index, expected):
    """If it fails, it reads another map, or is not the mean over all elements."""
    student = of_maps(torch.tensor([[[[5.0]]]]), torch.tensor([[[[3.0, 0.0], [1.0, 2.0]]]]))
    teacher = of_maps(torch.tensor([[[[0.0]]]]), torch.tensor([[[[0.0, 0.0], [2.0, 2.0]]]]))
    term = MODELS.build(dict(type='FeatureDistillation', loss_weight=100.0, index=index))
    assert term(student, teacher).item() == pytest.approx(100 * expected)


def test_gradient_is_the_students():
    """If it fails, the gradient is not 2 (s - t) / elements, or the teacher gets one."""
    ours, theirs = (torch.randn(2, 3, 4, 5, dtype=torch.float64).requires_grad_() for _ in range(2))
    loss = MODELS.build(dict(type='FeatureDistillation'))(of_maps(ours), of_maps(theirs))
    grad, none = torch.autograd.grad(loss, [ours, theirs], allow_unused=True)
    assert none is None
    torch.testing.assert_close(grad, (2 * (ours - theirs) / ours.numel()).detach())


def test_half_types():
    """If it fails, the mean is taken in bfloat16, where adding many small numbers stands still."""
    ours = torch.randn(2, 64, 32, 32).bfloat16()
    loss = MODELS.build(dict(type='FeatureDistillation'))(of_maps(ours), of_maps(0 * ours))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(ours.double().square().mean().item(), rel=1e-5)


def test_feature_term_in_a_network(build_pair):
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
    with pytest.raises(InvalidInputError, match='index is .*, expected -3 to 2'):
        MODELS.build(dict(type='FeatureDistillation', index=index)).check(network)
    MODELS.build(dict(type='FeatureDistillation', index=2)).check(network)


POOLED = dict(pooled=dict(type='PooledDistillation'))


def outputs(channels, seed):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(2, *shape, generator=generator)

    return NetworkOutputs(
        (draw(4, 8, 8),),
        dict(decode_head=draw(channels, 4, 4), aux=draw(channels, 4, 4)),
        (32, 32),
        (draw(3, 8, 8), draw(5, 4, 4)),
        dict(decode_head=draw(6, 4, 4), aux=draw(7, 4, 4)),
    )


@pytest.mark.parametrize('source', ['decode_head', 'aux'])
@pytest.mark.parametrize('classes, old', [(21, 16), (17, 16), (3, 2)])
def test_layers_factors_and_growth(source, classes, old):
    """If it fails, a layer or a factor is missing, or the weight does not grow as sqrt(C / N)."""
    student, teacher = outputs(classes, 0), outputs(old, 1)
    term = MODELS.build(
        dict(
            type='PooledDistillation',
            loss_weight=3.0,
            source=source,
            feature_factor=0.02,
            logits_factor=0.007,
            scales=(1, 2),
        )
    )
    maps = [[*x.stages, x.head_features[source], x.logits[source]] for x in (student, teacher)]
    expected = (
        3
        * sqrt(classes / (classes - old))
        * pooled_distillation(*maps, old, [0.02, 0.02, 0.02, 0.007], (1, 2))
    )
    torch.testing.assert_close(term(student, teacher), expected)


def test_the_published_numbers_are_the_default():
    """If it fails, the default weights are not those of the VOC scripts."""
    student, teacher = outputs(21, 0), outputs(16, 1)
    factors = dict(feature_factor=0.01, logits_factor=0.0005, scales=(1, 2, 4), loss_weight=1.0)
    assert MODELS.build(dict(type='PooledDistillation'))(student, teacher) == MODELS.build(
        dict(type='PooledDistillation', **factors)
    )(student, teacher)


@pytest.mark.parametrize('key', ['feature_factor', 'logits_factor'])
@pytest.mark.parametrize('value', ['a', -0.01, None])
def test_bad_factors(key, value):
    """If it fails, it is found after the base step was trained."""
    with pytest.raises(
        InvalidInputError,
        match=f'^PooledDistillation {key} is {value!r}, expected a number of at least 0$',
    ):
        MODELS.build(dict(type='PooledDistillation', **{key: value}))


def test_no_new_class():
    """If it fails, a step without new classes divides by zero."""
    student, teacher = outputs(4, 0), outputs(4, 1)
    term = MODELS.build(dict(type='PooledDistillation'))
    assert 0 < term(student, teacher) < float('inf')
    assert term(student, student) == 0


def test_in_a_network(build_pair):
    """If it fails, the term does not reach the four stages, or something of the teacher moves."""
    model = build_pair([4, 1], bisenet=True, distillation=POOLED).eval()
    inputs, labels = torch.randn(2, 3, 64, 48), torch.randint(0, 5, (2, 64, 48))
    # nothing but the logits differs at first, and they only by what the bias lost and gained
    before = model.loss(inputs, labels)['distillation.pooled.loss'].item()
    with torch.no_grad():
        model.backbone.context_path.resnet.layer1[0].conv1.weight.mul_(1.5)
    losses = model.loss(inputs, labels)
    assert losses['distillation.pooled.loss'].item() > before
    losses['distillation.pooled.loss'].backward()
    touched = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    for stage in range(1, 5):
        assert any(f'resnet.layer{stage}.' in name for name in touched)
    assert any('spatial_path' in name for name in touched), 'the head reads the fused map'
    assert 'decode_head.classifier.steps.1.weight' in touched
    assert not any('auxiliary' in name for name in touched)
    assert all(p.grad is None for p in model.teacher.parameters())
    student, teacher = model.extract(inputs, intermediate=True), model.run_teacher(inputs)
    assert len(student.stages) == len(teacher.stages) == 4
    assert teacher.logits.keys() == {'decode_head'}, "the teacher's auxiliary heads did not run"


def test_student_equal_to_its_teacher(build_pair):
    """If it fails, a student that changed nothing is punished, or its gradient is NaN."""
    model = build_pair([4, 1], bisenet=True, distillation=POOLED).eval()
    with torch.no_grad():  # undo the initialisation: background alone, nothing for the new class
        old, new = model.decode_head.classifier.convs
        teacher = model.teacher.decode_head.classifier.convs[0]
        old.bias.copy_(teacher.bias)
        new.weight.zero_()
        new.bias.zero_()
    loss = model.loss(torch.randn(2, 3, 64, 64), torch.zeros(2, 64, 64).long())[
        'distillation.pooled.loss'
    ]
    loss.backward()
    assert loss.item() < 1e-4
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('scales', [(), (0,), (1, 2.5), (-1, 2)])
def test_bad_scales(scales):
    """If it fails, a wrong scale is found only at the first iteration of step 1."""
    with pytest.raises(InvalidInputError, match='PooledDistillation scales is'):
        MODELS.build(dict(type='PooledDistillation', scales=scales))


def test_backbone_without_stages(build):
    """If it fails, step 0 is trained before the user learns that the backbone does not do."""
    with pytest.raises(InvalidInputError, match='stages, which TinyBackbone does not offer'):
        MODELS.build(dict(type='PooledDistillation')).check(build([4]))
