"""The student and its teacher: nothing of the teacher may move, and nothing may be lost of it."""

import pickle
from copy import deepcopy

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData

from incseg.errors import InvalidInputError
from incseg.models import BaseDistillation
from incseg.models.distillation import logits as one_pass
from incseg.models.distillation import logits as soft_label_distillation
from incseg.models.losses import segmentation as pixel_cross_entropy
from incseg.models.losses.functional import unbiased_cross_entropy, unbiased_distillation
from incseg.models.losses.fused import fused_losses
from incseg.registry import MODELS
from incseg.structures import SegDataSample

MIB = dict(logits=dict(type='UnbiasedLogitsDistillation', loss_weight=10.0))
HEADS = ('decode_head', 'aux_16', 'aux_32')


@MODELS.register_module(force=True)
class FeatureGap(BaseDistillation):
    """A custom term over backbone features."""

    def compare(self, student, teacher):
        return (student.features[-1] - teacher.features[-1]).square().mean()


@MODELS.register_module(force=True)
class AllVoid:
    """A labeller that remembers what it was given and returns void."""

    def __call__(self, labels, student, teacher):
        self.given = labels, student, teacher
        return torch.full_like(labels, 255)


def batch(size=(12, 10), classes=6, n=2):
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(n, 3, *size, generator=generator),
        torch.randint(0, classes, (n, *size), generator=generator, dtype=torch.uint8),
    )


def snapshot(model) -> dict:
    return {name: value.clone() for name, value in model.state_dict().items()}


def unchanged(model, before: dict) -> bool:
    return all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_losses_by_hand(build_pair):
    """If it fails, MiB's total is not UCE on three heads plus 10 x UKD on the fused output."""
    unbiased = dict(type='FCNHead', loss_decode=dict(type='UnbiasedCrossEntropyLoss'))
    model = build_pair(
        [4, 2],
        decode_head=unbiased,
        auxiliary_weight=0.5,
        auxiliary_head=dict(aux_16=unbiased, aux_32=unbiased),
    ).eval()
    inputs, labels = batch()
    labels[0, :3] = 255
    losses = model.loss(inputs, labels)
    assert list(losses) == [*(f'{name}.loss' for name in HEADS), 'distillation.logits.loss']
    student, teacher = model.extract(inputs), model.teacher.extract(inputs)
    for name in HEADS:
        weight = 1.0 if name == 'decode_head' else 0.5
        expected = weight * unbiased_cross_entropy(student.full_size(name), labels, 4)
        torch.testing.assert_close(losses[f'{name}.loss'], expected)
    torch.testing.assert_close(
        losses['distillation.logits.loss'],
        10
        * unbiased_distillation(student.full_size('decode_head'), teacher.full_size('decode_head')),
    )


@pytest.mark.parametrize('steps', [[4, 2], [3, 1, 1]])
def test_init_invariants_on_all_heads(build_pair, steps):
    """If it fails, a head starts the step with other probabilities than the teacher's."""
    model = build_pair(steps, bisenet=True, dtype=torch.float64).eval()
    inputs = torch.randn(1, 3, 40, 33, dtype=torch.float64)
    k, n = sum(steps[:-1]), steps[-1]
    with torch.no_grad():
        student, teacher = model.extract(inputs), model.teacher.extract(inputs)
    assert set(student.logits) == set(HEADS)
    for name in HEADS:
        # at the size of the loss: bilinear weights sum to one, so the shift survives
        after, before = (x.full_size(name).softmax(1) for x in (student, teacher))
        assert before.std(dim=(0, 2, 3)).min() > 1e-4  # pixels differ
        share = before[:, :1] / (n + 1)
        torch.testing.assert_close(after[:, :1], share, rtol=1e-9, atol=1e-14)
        torch.testing.assert_close(after[:, k:], share.expand(-1, n, -1, -1), rtol=1e-9, atol=1e-14)
        torch.testing.assert_close(after[:, 1:k], before[:, 1:], rtol=1e-9, atol=1e-14)
        entropy = -(before * before.log()).sum(1).mean() / k
        torch.testing.assert_close(
            unbiased_distillation(student.full_size(name), teacher.full_size(name)), entropy
        )


def test_teacher_is_not_part_of_the_student(build_pair):
    """If it fails, the teacher is saved, optimised or synchronised together with the student."""
    model = build_pair([4, 2])
    plain = build_pair([4, 2])
    plain.set_teacher(None)
    assert model.state_dict().keys() == plain.state_dict().keys()
    own = {id(x) for part in (model.parameters(), model.buffers(), model.modules()) for x in part}
    teacher = model.teacher
    foreign = {
        id(x) for part in (teacher.parameters(), teacher.buffers(), teacher.modules()) for x in part
    }
    assert not own & foreign
    assert 'teacher' not in dict(model.named_children())


def test_teacher_stays_frozen(build_pair):
    """If it fails, the teacher is trained, or its BatchNorm adapts: the past is forgotten."""
    model = build_pair([4, 2], bisenet=True)
    model.train().requires_grad_(True)
    assert not any(m.training for m in model.teacher.modules())
    assert not any(p.requires_grad for p in model.teacher.parameters())
    before, student_before = snapshot(model.teacher), snapshot(model)
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True
    )
    for _ in range(2):
        inputs, labels = batch((40, 40))
        optimiser.zero_grad()
        sum(model.loss(inputs, labels).values()).backward()
        optimiser.step()
    assert unchanged(model.teacher, before)
    assert all(p.grad is None for p in model.teacher.parameters())
    moved = [
        name for name, p in model.named_parameters() if not torch.equal(p, student_before[name])
    ]
    assert len(moved) == len(list(model.parameters()))


def test_teacher_sees_no_gradient_and_no_dropout(build_pair):
    """If it fails, the targets of distillation are noisy, or memory holds a second graph."""
    model = build_pair([4, 2], decode_head=dict(type='FCNHead', dropout_ratio=0.5))
    inputs, _ = batch()
    first, again = (model.run_teacher(inputs.requires_grad_()) for _ in range(2))
    logits = first.full_size('decode_head')
    assert not logits.requires_grad
    assert torch.equal(logits, again.full_size('decode_head'))
    assert logits.shape == (2, 4, 12, 10)


def test_teacher_runs_only_what_is_read(build_pair):
    """If it fails, the teacher's auxiliary heads cost time for nothing, or are missing."""
    inputs, labels = batch()
    assert build_pair([4, 2]).run_teacher(inputs).logits.keys() == {'decode_head'}
    term = dict(type='UnbiasedLogitsDistillation', source='aux_16')
    model = build_pair([4, 2], distillation=dict(logits=term, gone=None)).eval()
    losses = model.loss(inputs, labels)
    assert [name for name in losses if 'distillation' in name] == ['distillation.logits.loss']
    student, teacher = model.extract(inputs), model.teacher.extract(inputs)
    torch.testing.assert_close(
        losses['distillation.logits.loss'],
        unbiased_distillation(student.full_size('aux_16'), teacher.full_size('aux_16')),
    )


def test_custom_term(build_pair):
    """If it fails, a registered term cannot reach the features of both networks."""
    model = build_pair(
        [4, 2],
        distillation=dict(features=dict(type='FeatureGap', loss_weight=3.0, source='features')),
    ).eval()
    inputs, labels = batch()
    assert model.loss(inputs, labels)['distillation.features.loss'] == 0  # it starts as its teacher
    torch.nn.init.zeros_(model.backbone.conv.weight)
    gap = model.backbone(inputs)[-1] - model.teacher.backbone(inputs)[-1]
    torch.testing.assert_close(
        model.loss(inputs, labels)['distillation.features.loss'], 3 * gap.square().mean()
    )


def test_target_labeller(build_pair):
    """If it fails, the losses do not read the labels that the labeller returned."""
    model = build_pair([4, 2], distillation=None, target_labeller=dict(type='AllVoid'))
    assert model.needs_teacher
    inputs, labels = batch()
    losses = model.loss(inputs, labels)
    assert {name: value.item() for name, value in losses.items()} == {
        f'{name}.loss': 0.0 for name in HEADS
    }
    given, student, teacher = model.target_labeller.given
    assert torch.equal(given, labels)
    assert student.logits['decode_head'].shape[1] == 6
    assert teacher.logits['decode_head'].shape[1] == 4
    assert set(teacher.logits) == set(HEADS)


@MODELS.register_module(force=True)
class Weigher:
    """A labeller that reads one head, keeps the labels and weighs the images."""

    source = 'decode_head'
    reads = frozenset()

    def __call__(self, labels, student, teacher):
        assert set(teacher.logits) == {'decode_head'} and teacher.features == ()
        return labels, torch.tensor([0.5, 0.0])


@MODELS.register_module(force=True)
class OwnLoss(torch.nn.Module):
    """A user's loss, which knows nothing of weights."""

    def forward(self, logits, target, *, num_old, ignore_index):
        return torch.nn.functional.cross_entropy(logits, target.long(), reduction='none').mean()


@pytest.mark.parametrize(
    'loss',
    [
        dict(type='CrossEntropyLoss'),
        dict(type='CrossEntropyLoss', fused=False),
        dict(type='OwnLoss'),
    ],
)
@pytest.mark.parametrize('distillation', [None, MIB])
def test_image_weight(build_pair, loss, distillation):
    """If it fails, a labeller's weight does not reach every head, or reaches the distillation."""
    head = dict(type='FCNHead', loss_decode=loss)
    heads = dict(decode_head=head, auxiliary_head=dict(aux_16=head, aux_32=head))
    model, plain = (
        build_pair([4, 2], distillation=distillation, target_labeller=labeller, **heads).eval()
        for labeller in (dict(type='Weigher'), None)
    )
    inputs, labels = batch()
    losses, alone = model.loss(inputs, labels), plain.loss(inputs[:1], labels[:1])
    for name in HEADS:
        torch.testing.assert_close(losses[f'{name}.loss'], alone[f'{name}.loss'] / 4)
    if distillation is not None:
        torch.testing.assert_close(
            losses['distillation.logits.loss'],
            plain.loss(inputs, labels)['distillation.logits.loss'],
        )


def test_plop_trains_the_student_alone(build_pair):
    """If it fails, PLOP's parts do not go together, or move the teacher."""
    model = build_pair(
        [4, 1],
        bisenet=True,
        distillation=dict(pooled=dict(type='PooledDistillation')),
        target_labeller=dict(type='EntropyPseudoLabeller'),
    )
    inputs, labels = batch((64, 48), classes=5)
    labels[labels < 4] = 0
    model.target_labeller.prepare([(labels, model.run_teacher(inputs))], 5)
    before = snapshot(model.teacher)
    losses = model.loss(inputs, labels)
    assert list(losses) == [*(f'{name}.loss' for name in HEADS), 'distillation.pooled.loss']
    sum(losses.values()).backward()
    assert all(value.isfinite() and value > 0 for value in losses.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert unchanged(model.teacher, before)
    with torch.autocast('cpu', torch.bfloat16):
        rough = model.loss(inputs, labels)
    for name, value in rough.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, losses[name], rtol=0.2, atol=0.05)
    void = model.loss(inputs, torch.full_like(labels, 255))
    assert [void[f'{name}.loss'].item() for name in HEADS] == [0.0, 0.0, 0.0]
    assert void['distillation.pooled.loss'] > 0


def test_without_a_method_there_is_no_teacher(build):
    """If it fails, FT and the base step pay for, or ask for, a teacher."""
    model = build([4, 2])
    assert not model.needs_teacher
    assert list(model.loss(*batch())) == [f'{name}.loss' for name in HEADS]


def test_forgotten_teacher(build_pair):
    """If it fails, MiB silently trains without distillation."""
    model = build_pair([4, 2])
    model.set_teacher(None)
    with pytest.raises(RuntimeError, match=r'needs a teacher, but set_teacher\(\) was not called'):
        model.loss(*batch())


@pytest.mark.parametrize('copy', [deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_have_a_teacher_of_their_own(build_pair, copy):
    """If it fails, a copy (EMA, spawn) shares the teacher, loses it, or trains it."""
    model = build_pair([4, 2])
    twin = copy(model)
    assert twin.teacher is not None
    assert twin.teacher is not model.teacher
    assert 'teacher' not in dict(twin.named_children())
    assert not any(p.requires_grad for p in twin.teacher.parameters())
    inputs, labels = batch()
    for a, b in zip(
        model.eval().loss(inputs, labels).values(), twin.eval().loss(inputs, labels).values()
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize('steps', [[4, 1], [2] + [1] * 100])
def test_single_class_steps_train(build_pair, steps):
    """If it fails, 15-1 (one class a step) or a hundred steps do not train."""
    model = build_pair(steps)
    inputs, labels = batch(classes=sum(steps))
    losses = model.loss(inputs, labels)
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.teacher.decode_head.classifier.num_outputs == sum(steps) - 1


def test_train_step_of_mmengine(build_pair):
    """If it fails, the Runner gets no total, or leaves a term out of it."""
    model = build_pair([4, 2])
    inputs, labels = batch()
    samples = []
    for label in labels:
        samples.append(SegDataSample())
        samples[-1].gt_sem_seg = PixelData(data=label[None])
    images = [(image * 40 + 120).clamp(0, 255).to(torch.uint8) for image in inputs]
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    logs = model.train_step(dict(inputs=images, data_samples=samples), wrapper)
    terms = [value for name, value in logs.items() if name != 'loss']
    assert len(terms) == 4
    torch.testing.assert_close(logs['loss'], sum(terms))


def test_distillation_in_low_precision(build_pair):
    """If it fails, autocast computes the losses themselves in bfloat16."""
    model = build_pair([4, 2]).eval()
    inputs, labels = batch()
    exact = model.loss(inputs, labels)
    with torch.autocast('cpu', torch.bfloat16):
        rough = model.loss(inputs, labels)
    for name, value in rough.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[name], rtol=0.05, atol=0.05)


def test_the_term_shares_the_heads_pass(build_pair, monkeypatch):
    """If it fails, the logits of the fused output are upsampled twice."""
    seen = []
    for module in (one_pass, pixel_cross_entropy, soft_label_distillation):
        monkeypatch.setattr(
            module,
            'fused_losses',
            lambda x, *args, **kwargs: seen.append(x) or fused_losses(x, *args, **kwargs),
        )
    build_pair([4, 2]).loss(*batch())
    assert len(seen) == len(HEADS)


def test_exemplars_keep_their_labels(build_pair):
    """If it fails, a labeller replaces the old labels of a memory, or weighs them down."""

    @MODELS.register_module(force=True)
    class VoidAndNothing:
        def __call__(self, labels, student, teacher):
            return torch.full_like(labels, 255), torch.zeros(len(labels))

    model = build_pair(
        [4, 2], decode_head=dict(type='FCNHead', loss_decode=dict(type='UnbiasedCrossEntropyLoss'))
    ).eval()
    model.target_labeller = VoidAndNothing()
    inputs, labels = batch(n=3)
    losses = model.loss(inputs, labels, torch.tensor([False, True, False]))
    logits = model.extract(inputs).full_size('decode_head')
    expected = torch.nn.functional.cross_entropy(logits[1:2], labels[1:2].long()) / 3
    torch.testing.assert_close(losses['decode_head.loss'], expected)


def test_exemplars_come_with_the_samples(build_pair):
    """The flag of a sample reaches the loss of its image; distillation sees all images."""
    model = build_pair(
        [4, 2],
        distillation=MIB,
        decode_head=dict(type='FCNHead', loss_decode=dict(type='UnbiasedCrossEntropyLoss')),
    ).eval()
    inputs, labels = batch(n=2)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]
    plain = model(inputs, samples, mode='loss')
    samples[1].set_metainfo(dict(exemplar=True))
    marked = model(inputs, samples, mode='loss')
    direct = model.loss(inputs, labels, torch.tensor([False, True]))
    assert all(torch.equal(marked[name], direct[name]) for name in direct)
    assert not torch.equal(marked['decode_head.loss'], plain['decode_head.loss'])
    torch.testing.assert_close(
        marked['distillation.logits.loss'], plain['distillation.logits.loss']
    )


@pytest.mark.parametrize(
    'method, key, value, message',
    [
        (
            'plop',
            'distillation.pooled.feature_factor',
            'a',
            "PooledDistillation feature_factor is 'a', expected a number of at",
        ),
        (
            'plop',
            'distillation.pooled.logits_factor',
            -1,
            'distillation.pooled: PooledDistillation logits_factor is -1, expected',
        ),
        (
            'mib',
            'distillation.logits.alpha',
            'x',
            "distillation.logits: UnbiasedLogitsDistillation alpha is 'x', expected",
        ),
        (
            'mib',
            'distillation.logits.loss_weight',
            -10,
            'method.distillation.logits.loss_weight is -10, expected',
        ),
        (
            'lwf_mc',
            'distillation.logits.loss_weight',
            -10,
            'method.distillation.logits.loss_weight is -10, expected',
        ),
        ('mib', 'loss_decode.loss_weight', -1, 'method.loss_decode.loss_weight is -1, expected'),
        ('lwf_mc', 'loss_decode.loss_weight', -1, 'method.loss_decode.loss_weight is -1, expected'),
        ('plop', 'target_labeller.min_threshold', 'x', "min_threshold is 'x', expected"),
        (
            'ewc',
            'hooks.ewc.alpha',
            'x',
            "method.hooks.ewc.alpha is 'x', expected a number of 0 to 1",
        ),
        ('ewc', 'hooks.ewc.loss_weight', -1, 'method.hooks.ewc.loss_weight is -1, expected'),
        (
            'pi',
            'hooks.pi.damping',
            'x',
            "method.hooks.pi.damping is 'x', expected a number above 0",
        ),
        (
            'rw',
            'hooks.rw.interval',
            'x',
            "method.hooks.rw.interval is 'x', expected a whole number",
        ),
        (
            'rw',
            'hooks.rw.interval',
            2.5,
            'method.hooks.rw.interval is 2.5, expected a whole number',
        ),
    ],
)
def test_a_bad_number_is_found_in_the_config(method, key, value, message, tiny):
    """If it fails, a method's number that is none is found after the base step was trained."""
    with pytest.raises(InvalidInputError, match=message) as error:
        tiny(method, **{f'method.{key}': value})
    assert '\n' not in str(error.value)
