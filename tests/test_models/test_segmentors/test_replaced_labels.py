"""Labels that a labeller replaces, and exemplars that keep theirs."""

import pytest
import torch
from mmengine.structures import PixelData

from incseg.registry import MODELS
from incseg.structures import SegDataSample

MIB = dict(logits=dict(type='UnbiasedLogitsDistillation', loss_weight=10.0))


HEADS = ('decode_head', 'aux_16', 'aux_32')


@MODELS.register_module(force=True)
class AllVoid:
    """A labeller that remembers what it was given and returns void."""

    def __call__(self, labels, student, teacher):
        self.given = labels, student, teacher
        return torch.full_like(labels, 255)


def snapshot(model) -> dict:
    return {name: value.clone() for name, value in model.state_dict().items()}


def unchanged(model, before: dict) -> bool:
    return all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_target_labeller(build_pair, batch):
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
def test_image_weight(build_pair, loss, distillation, batch):
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


def test_plop_trains_the_student_alone(build_pair, batch):
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


def test_exemplars_keep_their_labels(build_pair, batch):
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
    hidden = torch.zeros(3, 6, dtype=torch.bool)
    hidden[[0, 2], 1:4] = True
    losses = model.loss(inputs, labels, hidden)
    logits = model.extract(inputs).full_size('decode_head')
    expected = torch.nn.functional.cross_entropy(logits[1:2], labels[1:2].long()) / 3
    torch.testing.assert_close(losses['decode_head.loss'], expected)


def test_exemplars_come_with_the_samples(build_pair, batch):
    """The flag of a sample reaches the loss of its image; distillation sees all images."""
    model = build_pair(
        [4, 2],
        distillation=MIB,
        decode_head=dict(type='FCNHead', loss_decode=dict(type='UnbiasedCrossEntropyLoss')),
    ).eval()
    inputs, labels = batch(n=2)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]
    plain = model(inputs, samples, mode='loss')
    samples[1].set_metainfo(dict(hidden=()))
    marked = model(inputs, samples, mode='loss')
    hidden = torch.zeros(2, 6, dtype=torch.bool)
    hidden[0, 1:4] = True
    direct = model.loss(inputs, labels, hidden)
    assert all(torch.equal(marked[name], direct[name]) for name in direct)
    assert not torch.equal(marked['decode_head.loss'], plain['decode_head.loss'])
    torch.testing.assert_close(
        marked['distillation.logits.loss'], plain['distillation.logits.loss']
    )
