"""What every registered target labeller promises."""

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models.labellers import BaseLabeller
from incseg.registry import MODELS
from tests.common.contract import Contract, Example
from tests.common.toys import DTYPES, ToyBackbone, network_config, outputs

#: The promise: whether it reads 'masks' or 'image labels'.
LABELLERS = Contract(
    'target labeller',
    MODELS,
    ('incseg.models.labellers', 'incseg.models.weak.online_localiser'),
    dict(
        EntropyPseudoLabeller=Example('masks', dict(median='fixed'), dict(median='paper_code')),
        OnlineLocaliser=Example(
            'image labels', {}, dict(refine=dict(type='PAMR')), channels=4, start_epoch=1
        ),
    ),
    __file__,
)
OLD, NEW, VOID = 3, 2, 255
OF_MASKS = LABELLERS.each_way(but='image labels')
OF_IMAGE_LABELS = LABELLERS.each_way(but='masks')


def masks(dtype=torch.uint8):
    """One image of each kind: all sorts of labels, new classes only, void, background only."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, OLD + NEW, (4, 8, 12), generator=generator, dtype=torch.uint8)
    labels[0, 0] = VOID
    labels[1] = labels[1].clamp(min=OLD)
    labels[2] = VOID
    labels[3] = 0
    return labels.to(dtype)


def prepared(name, options, teacher, **other):
    """A labeller that has seen the step's data."""
    labeller = LABELLERS.build(name, **options, **other)
    labeller.prepare([(masks(), teacher)], OLD + NEW)
    return labeller


def relabelled(labeller, labels, teacher, seed=1):
    made = labeller(labels, outputs(OLD + NEW, seed, images=len(labels)).only(labeller), teacher)
    return made if isinstance(made, tuple) else (made, torch.ones(len(labels)))


@OF_MASKS
@pytest.mark.parametrize('dtype', [torch.uint8, torch.int64], ids=str)
def test_replaces_background_only(name, options, dtype):
    """If it fails, an annotated new class or void is overwritten, or a new class is invented."""
    teacher = outputs(OLD, images=4)
    labeller = prepared(name, options, teacher)
    labels = masks(dtype)
    made, weight = relabelled(labeller, labels, teacher.only(labeller))
    assert made.shape == labels.shape and made.dtype == dtype
    old = labels < OLD
    assert torch.equal(made[~old], labels[~old])
    assert ((made[old] < OLD) | (made[old] == VOID)).all()
    assert not torch.equal(made, labels), 'nothing was replaced'
    assert weight.shape == (4,) and weight.dtype == torch.float32
    assert ((weight >= 0) & (weight <= 1)).all()
    assert torch.equal(labels, masks(dtype)), 'the labels were changed in place'


@OF_MASKS
def test_depends_on_the_teacher_only(name, options):
    """If it fails, labels change while the student learns, or with the other images of a batch."""
    teacher = outputs(OLD, images=4)
    labeller = prepared(name, options, teacher)
    made, weight = relabelled(labeller, masks(), teacher)
    again = relabelled(labeller, masks(), teacher, seed=5)
    assert torch.equal(again[0], made) and torch.equal(again[1], weight)
    for i in range(4):
        part = outputs(OLD, images=1)
        part.logits = {head: logits[i : i + 1] for head, logits in teacher.logits.items()}
        label, factor = relabelled(labeller, masks()[i : i + 1], part)
        assert torch.equal(label[0], made[i]) and factor[0] == weight[i]


@OF_MASKS
@pytest.mark.parametrize('dtype', DTYPES, ids=str)
def test_finite_at_extremes(name, options, dtype):
    """If it fails, a teacher that is sure of everything, or of nothing, ends the run."""
    for scale in (0.0, 1e4):
        teacher = outputs(OLD, images=4, dtype=dtype, scale=scale)
        labeller = prepared(name, options, teacher)
        made, weight = relabelled(labeller, masks(), teacher)
        assert ((made < OLD + NEW) | (made == VOID)).all() and weight.isfinite().all()


@OF_MASKS
def test_has_to_be_prepared(name, options):
    """If it fails, labels are replaced by thresholds of no data."""
    labeller = LABELLERS.build(name, **options)
    with pytest.raises(RuntimeError, match='prepare'):
        relabelled(labeller, masks(), outputs(OLD, images=4))


@LABELLERS.each_way()
def test_a_head_that_the_network_lacks(name, options):
    """If it fails, a config that names no head dies in step 1, hours later."""
    network = MODELS.build(network_config())
    labeller = LABELLERS.build(name, **options)
    assert isinstance(labeller, BaseLabeller)
    assert labeller.takes_image_labels == (LABELLERS[name].promise == 'image labels')
    labeller.check(network)
    with pytest.raises(InvalidInputError, match="source is 'nowhere'"):
        LABELLERS.build(name, source='nowhere', **options).check(network)


def localiser(name, options, epoch):
    """A labeller in the network that it belongs to, and what it is called with."""
    torch.manual_seed(0)
    config = network_config((OLD, NEW), target_labeller=LABELLERS.config(name, **options))
    network = MODELS.build(config)
    labeller = network.target_labeller
    labeller.set_epoch(epoch)
    student = outputs(OLD + NEW, 1, images=4)
    student.features = tuple(
        torch.rand(4, c, 4, 6, requires_grad=True) for c in ToyBackbone.out_channels
    )
    shown = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    teacher = outputs(OLD, images=4)
    teacher.logits = {head: logits.detach() for head, logits in teacher.logits.items()}
    return labeller, (torch.rand(4, 3, 8, 12), shown, student, teacher.only(labeller))


@OF_IMAGE_LABELS
@pytest.mark.parametrize('epoch', [0, 1])
def test_localises(name, options, epoch):
    """If it fails, soft labels are no probabilities, teach the labeller by the way, or show a new
    class where the image has none; or a part of the labeller learns nothing."""
    labeller, batch = localiser(name, options, epoch)
    made = labeller(*batch)
    assert made.losses
    for key, loss in made.losses.items():
        assert loss.shape == () and loss.isfinite() and loss.requires_grad, key
    parameters = list(labeller.parameters())
    gradients = torch.autograd.grad(
        sum(made.losses.values()), [*parameters, *batch[2].features], allow_unused=True
    )
    assert all(gradient.any() for gradient in gradients[: len(parameters)])
    assert any(gradient is not None for gradient in gradients[len(parameters) :])
    if epoch == 0:
        assert made.targets is None
        return
    targets = made.targets
    assert targets.shape == (4, OLD + NEW, 4, 6) and not targets.requires_grad
    assert ((targets >= 0) & (targets <= 1)).all()
    shown = targets[:, OLD:].amax((2, 3)) > 0
    assert torch.equal(shown, batch[1] > 0)
    if made.image_weight is not None:
        assert made.image_weight.shape == (4,)
        assert ((made.image_weight >= 0) & made.image_weight.isfinite()).all()


@OF_IMAGE_LABELS
def test_localises_the_same_again(name, options):
    """If it fails, a resumed step learns from other labels."""
    labeller, batch = localiser(name, options, 1)
    state = {key: value.clone() for key, value in labeller.state_dict().items()}
    first = labeller(*batch)
    labeller.load_state_dict(state)
    second = labeller(*batch)
    assert torch.equal(first.targets, second.targets)
    assert all(torch.equal(first.losses[key], second.losses[key]) for key in first.losses)


@OF_IMAGE_LABELS
def test_refuses_a_loss_without_soft_targets(name, options):
    """If it fails, soft labels reach a loss that takes them for train ids."""
    head = dict(type='FCNHead', loss_decode=dict(type='CrossEntropyLoss'))
    network = MODELS.build(network_config(decode_head=head))
    with pytest.raises(InvalidInputError, match='CrossEntropyLoss'):
        LABELLERS.build(name, **options).check(network)
