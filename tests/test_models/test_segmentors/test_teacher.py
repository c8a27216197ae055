"""The teacher: nothing of it may move, and nothing may be lost of it."""

import pickle
from copy import deepcopy

import pytest
import torch

from incseg.models.losses.functional import unbiased_distillation

HEADS = ('decode_head', 'aux_16', 'aux_32')


def snapshot(model) -> dict:
    return {name: value.clone() for name, value in model.state_dict().items()}


def unchanged(model, before: dict) -> bool:
    return all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


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


def test_teacher_stays_frozen(build_pair, batch):
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


def test_teacher_sees_no_gradient_and_no_dropout(build_pair, batch):
    """If it fails, the targets of distillation are noisy, or memory holds a second graph."""
    model = build_pair([4, 2], decode_head=dict(type='FCNHead', dropout_ratio=0.5))
    inputs, _ = batch()
    first, again = (model.run_teacher(inputs.requires_grad_()) for _ in range(2))
    logits = first.full_size('decode_head')
    assert not logits.requires_grad
    assert torch.equal(logits, again.full_size('decode_head'))
    assert logits.shape == (2, 4, 12, 10)


def test_teacher_runs_only_what_is_read(build_pair, batch):
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


def test_without_a_method_there_is_no_teacher(build, batch):
    """If it fails, FT and the base step pay for, or ask for, a teacher."""
    model = build([4, 2])
    assert not model.needs_teacher
    assert list(model.loss(*batch())) == [f'{name}.loss' for name in HEADS]


def test_forgotten_teacher(build_pair, batch):
    """If it fails, MiB silently trains without distillation."""
    model = build_pair([4, 2])
    model.set_teacher(None)
    with pytest.raises(RuntimeError, match=r'needs a teacher, but set_teacher\(\) was not called'):
        model.loss(*batch())


@pytest.mark.parametrize('copy', [deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_have_a_teacher_of_their_own(build_pair, copy, batch):
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
