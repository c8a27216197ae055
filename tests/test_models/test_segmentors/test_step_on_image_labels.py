"""A step on image-level labels: the five losses and what they reach."""

import pytest
import torch

from incseg.models.losses.functional import soft_binary_cross_entropy
from incseg.structures import SegDataSample

BINARY = dict(type='FCNHead', loss_decode=dict(type='BinaryCrossEntropyLoss'))
WILSON = dict(
    decode_head=BINARY,
    auxiliary_head=dict(aux_16=BINARY),
    auxiliary_weight=0.5,
    distillation=dict(encoder=dict(type='FeatureDistillation')),
    target_labeller=dict(type='OnlineLocaliser', channels=8, start_epoch=1),
)


@pytest.fixture
def model(build, build_pair):
    return build_pair([3, 2], init='RandomInit', **WILSON)


def batch():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(2, 3, 12, 10, generator=generator)
    samples = [SegDataSample(), SegDataSample()]
    for sample, labels in zip(samples, ([1.0, 0.0], [1.0, 1.0])):
        sample.gt_image_labels = torch.tensor(labels)
    return inputs, samples


def losses(model):
    inputs, samples = batch()
    return model(inputs, samples, mode='loss')


def test_first_epochs(model):
    """If it fails, DDP waits for a head's gradients, or heads learn from nothing."""
    made = losses(model)
    assert list(made) == [
        'decode_head.loss',
        'aux_16.loss',
        'labeller.cls.loss',
        'labeller.loc.loss',
        'distillation.encoder.loss',
    ]
    assert made['decode_head.loss'] == made['aux_16.loss'] == 0
    sum(made.values()).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert not any(p.grad.any() for head in model.heads.values() for p in head.parameters())
    assert any(p.grad.any() for p in model.backbone.parameters()), 'the body learns from cls'


def test_later_epochs(model):
    """If it fails, a head has other targets, another loss or another weight."""
    model.eval()
    model.target_labeller.set_epoch(1)
    made = losses(model)
    inputs, samples = batch()
    student, teacher = model.extract(inputs), model.run_teacher(inputs)
    labels = torch.stack([sample.gt_image_labels for sample in samples])
    targets = model.target_labeller(inputs, labels, student, teacher).targets
    for name, weight in (('decode_head', 1.0), ('aux_16', 0.5)):
        torch.testing.assert_close(
            made[f'{name}.loss'], weight * soft_binary_cross_entropy(student.logits[name], targets)
        )
    assert 'labeller.self.loss' in made
    sum(made.values()).backward()
    assert all(p.grad is not None for p in model.parameters())
    for head in model.heads.values():
        assert all(p.grad.any() for p in head.classifier.parameters())


def test_student_equal_to_its_teacher(model):
    """If it fails, the body's distillation compares other maps than those of the same image."""
    model.eval()
    assert losses(model)['distillation.encoder.loss'].item() == pytest.approx(0, abs=1e-12)


def test_masks_are_not_asked_for(model):
    """If it fails, the method trains on masks that it should not have."""
    inputs, samples = batch()
    assert all('gt_sem_seg' not in sample for sample in samples)
    model(inputs, samples, mode='loss')
    assert len(model(inputs, mode='predict')) == 2, 'prediction needs neither'


def test_labeller_is_trained_but_the_teacher_has_none(model):
    """If it fails, the localiser is in no optimiser, or part of what is kept of a step."""
    names = [name for name, _ in model.named_parameters()]
    assert any(name.startswith('target_labeller.layers.') for name in names)
    assert not any('target_labeller' in name for name in model.teacher.state_dict())
