"""What is frozen must not move by a bit, and all that is not must still learn."""

import pytest
import torch
from mmcv.cnn import is_norm

from incseg.errors import InvalidInputError
from incseg.models.segmentors.frozen_parts import FrozenParts

PARTS = ('backbone', 'head_features', 'old_classifiers')

HEADS = ('decode_head', 'auxiliary_head.aux_16', 'auxiliary_head.aux_32')


def part_of(name: str) -> str:
    """Which part a parameter or buffer of a network with two steps belongs to."""
    if name.startswith('backbone.'):
        return 'backbone'
    if '.classifier.' not in name:
        return 'head_features'
    return 'old_classifiers' if '.classifier.steps.0.' in name else 'new_classifiers'


def train(model, iterations=2):
    """A few iterations as the loop makes them, with momentum and a strong weight decay."""
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in range(iterations):
        model.train()
        losses = model.loss(torch.randn(2, 3, 40, 40), torch.randint(0, 6, (2, 40, 40)))
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
    return {
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }


@pytest.mark.parametrize(
    'names',
    [
        (),
        ('backbone',),
        ('head_features',),
        ('old_classifiers',),
        ('backbone', 'head_features'),
        PARTS,
    ],
)
def test_what_trains(build, names):
    """If it fails, weight decay, a gradient or BatchNorm moves a frozen part, or too much stands.

    Everything else moves, BatchNorm's running statistics included.
    """
    model = build([4, 2], bisenet=True, frozen=names)
    moved = train(model)
    assert moved == {name for name in model.state_dict() if part_of(name) not in names}
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (part_of(name) not in names), name


def test_backbone_norm(build):
    """If it fails, statistics learn from a step's few images, or the convolutions stand too."""
    model = build([4, 2], bisenet=True, frozen=['backbone_norm'])
    norms = {
        name
        for name, module in model.backbone.named_modules()
        if module in model.backbone.norm_layers()
    }
    assert norms
    moved = train(model)
    for name in model.state_dict():
        held = name.removeprefix('backbone.').rpartition('.')[0] in norms
        assert (name in moved) == (not held), name
    with pytest.raises(InvalidInputError, match=r'TinyBackbone has no norm_layers\(\)'):
        build([4, 2], frozen=['backbone_norm'])


@pytest.mark.parametrize('frozen', ['norm', 'norm_affine'])
@pytest.mark.parametrize('norm', ['incseg.BN', 'GN'])
def test_norms(build, frozen, norm):
    """If it fails, norms of the heads are left out, or statistics stand that should go on.

    The published `--fix_bn` is `norm_affine`: it covers body and head.
    """
    norm_cfg = dict(type=norm, **(dict(num_groups=2) if norm == 'GN' else {}))
    model = build(
        [4, 2],
        backbone=dict(type='BiSeNet', norm_cfg=norm_cfg),
        decode_head=dict(type='FCNHead', norm_cfg=norm_cfg),
        auxiliary_head=dict(aux=dict(type='FCNHead', in_index=1, norm_cfg=norm_cfg)),
        frozen=[frozen],
    )
    moved = train(model)
    layers = {name: module for name, module in model.named_modules() if is_norm(module)}
    assert {name.split('.')[0] for name in layers} == {'backbone', 'decode_head', 'auxiliary_head'}
    assert all(layer.training == (frozen != 'norm') for layer in layers.values())
    for name in model.state_dict():
        layer, _, kind = name.rpartition('.')
        held = layer in layers and (frozen == 'norm' or kind in ('weight', 'bias'))
        assert (name in moved) == (not held), name


def test_modes(build):
    """If it fails, frozen BatchNorm normalises by the batch, or freezing switches dropout off."""
    model = build([4, 1, 1], bisenet=True, frozen=PARTS, dropout=True).train()
    assert not any(module.training for module in model.backbone.modules())
    for head in model.heads.values():
        assert not any(module.training for module in head.conv.modules())
        assert head.dropout.training and head.classifier.convs[-1].training
        assert not any(conv.training for conv in head.classifier.convs[:-1])
    model.eval()
    assert not any(module.training for module in model.modules())
    assert any(module.training for module in build([4, 2], bisenet=True).train().modules())


def test_modules_that_are_replaced_are_held_too(build):
    """If it fails, SyncBatchNorm, put in after the network was built, trains its statistics."""
    model = build([4, 2], bisenet=True, frozen=PARTS)
    model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model).train()
    norms = [m for m in model.modules() if isinstance(m, torch.nn.SyncBatchNorm)]
    assert norms and not any(norm.training for norm in norms)
    assert not any(p.requires_grad for norm in norms for p in norm.parameters())


def test_parameters_of_the_head_itself(build):
    """If it fails, a head's own parameter, in no layer of it, goes on training."""
    model = build([4, 2])
    for head in model.heads.values():
        head.scale = torch.nn.Parameter(torch.ones(1))
    FrozenParts(['head_features']).freeze(model)
    assert not any(head.scale.requires_grad for head in model.heads.values())
    FrozenParts(['backbone', 'old_classifiers']).freeze(build([4, 2]))


def test_no_graph_through_frozen_parts(build):
    """If it fails, memory and time go into gradients that nobody uses."""
    model = build([4, 2], bisenet=True, frozen=PARTS).train()
    outputs = model.extract(torch.randn(2, 3, 40, 40), intermediate=True)
    assert not any(x.requires_grad for x in (*outputs.features, *outputs.head_features.values()))
    assert all(x.requires_grad for x in outputs.logits.values())


def test_the_loss_does_not_matter_to_a_new_classifier(build):
    """What `docs/methods/frozen.md` says: background alone, or background and all old classes?

    To a new class's logit it is the same: its gradient is p_new - 1 on its own
    pixels and p_new elsewhere.
    """
    gradients = []
    for loss in ('CrossEntropyLoss', 'UnbiasedCrossEntropyLoss'):
        model = build(
            [4, 2],
            frozen=PARTS,
            auxiliary_head={},
            decode_head=dict(type='FCNHead', dropout_ratio=0.0, loss_decode=dict(type=loss)),
        )
        generator = torch.Generator().manual_seed(1)
        labels = torch.tensor([0, 4, 5])[torch.randint(0, 3, (2, 12, 10), generator=generator)]
        model.loss(torch.randn(2, 3, 12, 10, generator=generator), labels)[
            'decode_head.loss'
        ].backward()
        new = model.decode_head.classifier.convs[-1]
        gradients.append((new.weight.grad, new.bias.grad))
    torch.testing.assert_close(*gradients)
    assert gradients[0][0].any()


@pytest.mark.parametrize('names', ['backbone', ['backbone', 'classifier'], [3]])
def test_unknown_parts(names):
    """If it fails, a misspelt part trains in silence."""
    with pytest.raises(InvalidInputError, match=r'frozen is .*, expected a list of .*old_class'):
        FrozenParts(names)
