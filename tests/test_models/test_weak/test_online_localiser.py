"""WILSON's localiser: which loss it has when, what each trains, what it teaches."""

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models import PAMR, OnlineLocaliser
from incseg.models.weak import Localisation
from incseg.models.weak.functional import (
    balanced_cross_entropy,
    confident_pixels,
    image_classification_loss,
    present_masks,
    resize_corners,
    segmentation_targets,
    smoothed_masks,
)
from incseg.structures import NetworkOutputs

BINARY = dict(type='FCNHead', loss_decode=dict(type='BinaryCrossEntropyLoss'))
HEADS = dict(decode_head=BINARY, auxiliary_head=dict(aux_16=BINARY))
LABELS = torch.tensor([[1.0, 0.0], [1.0, 1.0]])


@pytest.fixture
def network(build):
    return build([3, 2], **HEADS)


def localiser(network, **options):
    torch.manual_seed(0)
    made = OnlineLocaliser(channels=8, start_epoch=1, **options)
    made.build_for(network)
    return made.double()


def batch():
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    features = draw(2, 6, 6, 7).requires_grad_()
    student = NetworkOutputs((features,), {}, (12, 14))
    teacher = NetworkOutputs((), {'decode_head': draw(2, 3, 6, 7) * 2}, (12, 14))
    return draw(2, 3, 12, 14), student, teacher


def test_first_epochs(network):
    """If it fails, the network is taught by a localiser that has not learnt."""
    labeller = localiser(network)
    images, student, teacher = batch()
    made = labeller(images, LABELS, student, teacher)
    assert made.targets is None and list(made.losses) == ['cls', 'loc']
    logits = labeller.layers(student.features[0])
    assert logits.shape == (2, 5, 6, 7), 'background, two old classes, two new'
    torch.testing.assert_close(made.losses['cls'], image_classification_loss(logits, LABELS))
    old = teacher.logits['decode_head'].sigmoid()
    p = logits[:, :3].sigmoid()
    torch.testing.assert_close(
        made.losses['loc'], -(old * p.log() + (1 - old) * (1 - p).log()).mean()
    )


@pytest.mark.parametrize('refine', [None, dict(type='PAMR', num_iters=2, dilations=(1, 2))])
def test_later_epochs(network, refine):
    """If it fails, the refined masks teach the network, or the raw ones the localiser."""
    labeller = localiser(network, alpha=0.3, refine=refine)
    images, student, teacher = batch()
    labeller.set_epoch(1)
    labeller.layers.eval()
    soft = labeller.layers(student.features[0]).detach().softmax(1)
    labeller.layers.train()
    made = labeller(images, LABELS, student, teacher)
    assert list(made.losses) == ['cls', 'loc', 'self']
    refined = soft
    if refine is not None:
        refined = PAMR(2, (1, 2)).refine_batch(resize_corners(images, (6, 7)), soft)
        assert not torch.allclose(refined, soft)
    chosen = confident_pixels(present_masks(refined, LABELS))
    logits = labeller.layers(student.features[0])
    torch.testing.assert_close(made.losses['self'], balanced_cross_entropy(logits, chosen, LABELS))
    expected = segmentation_targets(
        teacher.logits['decode_head'], smoothed_masks(present_masks(soft, LABELS), 0.3)
    )
    torch.testing.assert_close(made.targets, expected)
    assert made.image_weight.tolist() == [1, 1]


def test_what_each_loss_trains(network):
    """If it fails, the backbone does not learn the new classes, or targets are differentiated."""
    labeller = localiser(network)
    images, student, teacher = batch()
    labeller.set_epoch(1)
    with torch.no_grad():  # so sure of itself that every class has pixels
        labeller.layers[-1].weight.mul_(8)
    made = labeller(images, LABELS, student, teacher)
    features = student.features[0]
    assert made.losses['self'] > 0
    for name, loss in made.losses.items():
        for tensor in (features, *labeller.layers.parameters()):
            (gradient,) = torch.autograd.grad(loss, tensor, retain_graph=True)
            assert gradient.any(), name
    assert not made.targets.requires_grad and not made.image_weight.requires_grad


def test_masks_leave_the_statistics_alone(network):
    """If it fails, the pass that makes masks trains BatchNorm, or depends on the batch."""
    labeller = localiser(network)
    labeller.set_epoch(1)
    _, student, _ = batch()
    before = {name: value.clone() for name, value in labeller.state_dict().items()}
    masks = labeller.masks(student.features[0])
    assert not masks.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in labeller.state_dict().items())
    assert labeller.layers.training
    torch.testing.assert_close(labeller.masks(student.features[0][:1]), masks[:1])


def test_gradient_under_autocast(network):
    """If it fails, the pass for the masks leaves weights without gradient in autocast's memory."""
    labeller = localiser(network).float()
    labeller.set_epoch(1)
    images, student, teacher = batch()
    student = NetworkOutputs((student.features[0].float(),), {}, student.size)
    with torch.autocast('cpu', torch.bfloat16):
        made = labeller(images.float(), LABELS, student, teacher)
    assert all(loss.dtype.itemsize >= 4 for loss in made.losses.values())
    made.losses['cls'].backward()
    assert all(p.grad is not None and p.grad.any() for p in labeller.layers.parameters())


def test_teacher_of_another_size(network):
    """If it fails, a localiser on another map than the head's cannot be used."""
    labeller = localiser(network)
    labeller.set_epoch(1)
    images, student, teacher = batch()
    small = NetworkOutputs((), {'decode_head': torch.zeros(2, 3, 3, 4).double()}, teacher.size)
    made = labeller(images, LABELS, student, small)
    torch.testing.assert_close(made.targets[:, 1:3], torch.full((2, 2, 6, 7), 0.5).double())


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(alpha=1.5), 'OnlineLocaliser.alpha is 1.5, expected a number from 0 to 1'),
        (dict(start_epoch=-1), 'OnlineLocaliser.start_epoch is -1, expected a whole number'),
        (dict(refine=dict(type='DenseCRF')), r"refine.type is 'DenseCRF', .*method refine_batch\("),
    ],
)
def test_arguments(options, message):
    """If it fails, a typing mistake trains for hours."""
    with pytest.raises(InvalidInputError, match=message):
        OnlineLocaliser(**options)


def test_what_it_needs_of_the_network(build):
    """If it fails, a missing map or a loss for hard labels shows up in the middle of a run."""
    with pytest.raises(InvalidInputError, match='index is 3, expected -1 to 0'):
        OnlineLocaliser(index=3).build_for(build([3, 2], **HEADS))
    with pytest.raises(InvalidInputError, match="source is 'aux', expected .*'decode_head'"):
        OnlineLocaliser(source='aux').check(build([3, 2], **HEADS))
    with pytest.raises(InvalidInputError, match="aux_16 is 'CrossEntropyLoss', expected"):
        OnlineLocaliser().check(
            build([3, 2], decode_head=BINARY, auxiliary_head=dict(aux_16=dict(type='FCNHead')))
        )


def test_nothing_is_taught_by_default():
    """If it fails, a labeller that only learns has to invent targets."""
    made = Localisation(dict(cls=torch.ones(())))
    assert made.targets is None and made.image_weight is None
    assert made.losses == dict(cls=torch.ones(()))
