"""SEAM: the network, its head, and what is frozen."""

import pytest
import torch
from torch import nn

from incseg.errors import InvalidInputError
from incseg.models import SEAM, BaseBackbone, ResNet
from incseg.models.backbones import BatchNorm
from incseg.models.weak import SEAMHead
from incseg.models.weak.functional import (
    cam_scores,
    equivariant_losses,
    pixel_correlation,
    resize_corners,
)
from incseg.models.weak.seam import FineTuned, batch_norms
from incseg.registry import MODELS
from incseg.structures import SegDataSample

LABELS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])


@MODELS.register_module(force=True)
class TinyTaps(BaseBackbone):
    """Three convolutions of stride 2, each with a BatchNorm; the smallest with three maps."""

    out_channels = stage_channels = (4, 6, 8)

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), BatchNorm(after))
            for before, after in ((3, 4), (4, 6), (6, 8))
        )

    def early_layers(self):
        return (self.layers[0],)

    def forward_stages(self, x):
        stages = []
        for layer in self.layers:
            stages.append(layer(x))
            x = stages[-1].relu()
        return tuple(stage.relu() for stage in stages), tuple(stages)


def make(seed=0, **kwargs):
    torch.manual_seed(seed)
    return SEAM(dict(type='TinyTaps'), 3, head=dict(type='SEAMHead', dropout_ratio=0.0), **kwargs)


@pytest.fixture
def images():
    return torch.randn(2, 3, 40, 56, generator=torch.Generator().manual_seed(1))


def test_one_step_is_two_passes(images):
    """The image and its copy at 0.3, corners on corners; maps at the size of their input."""
    model = make().eval()
    maps = []
    for size in ((40, 56), (12, 16)):
        maps += [resize_corners(map, size) for map in model.maps(resize_corners(images, size))]
    expected = equivariant_losses(*maps, LABELS)
    assert model.loss(images, LABELS) == expected


@pytest.mark.parametrize('name', ['loss_cls', 'loss_min', 'loss_er', 'loss_ecr'])
def test_who_learns_from_which_loss(name, images):
    """ECR and min-pooling must not reach the backbone, classification not the projections."""
    model = make()
    model.loss(images, LABELS)[name].backward()
    reached = {
        '.'.join(key.split('.')[:2])
        for key, value in model.named_parameters()
        if value.grad is not None
    }
    if name in ('loss_cls', 'loss_er'):
        assert reached == {'backbone.layers', 'head.classifier'}
    else:
        assert reached == {'head.project_shallow', 'head.project_middle', 'head.project_all'}


def test_mmengine_entry(images):
    """Labels come from the samples; other modes give the maps at low resolution."""
    model = make().eval()
    samples = [SegDataSample() for _ in LABELS]
    for sample, row in zip(samples, LABELS):
        sample.gt_image_labels = row
    assert model(images, samples, 'loss') == model.loss(images, LABELS)
    for mode in ('predict', 'tensor'):
        cam, refined = model(images, mode=mode)
        assert cam.shape == (2, 4, 5, 7) and refined.shape == (2, 4, 20, 28)
        assert not cam.requires_grad and not cam[:, 0].any() and (refined[:, 0] > 0).any()
    with pytest.raises(ValueError, match="'losses', expected"):
        model(images, mode='losses')


@pytest.mark.parametrize('size', [(40, 56), (33, 47), (7, 5), (4, 4)])
def test_any_size_and_a_batch_of_one(size):
    """Sizes that no stride divides, down to one pixel of the copy; one image without a class."""
    model = make()
    losses = model.loss(torch.randn(1, 3, *size), LABELS[1:])
    sum(losses.values()).backward()
    for name, value in model.named_parameters():
        assert value.grad is not None and value.grad.isfinite().all(), name


def test_too_small(images):
    """An image whose copy has no pixel is named with its size."""
    with pytest.raises(InvalidInputError, match='3 x 56 pixels have no copy scaled by 0.3'):
        make().loss(images[..., :3, :], LABELS)


def test_frozen(images):
    """The early layers and every BatchNorm's weights stay; its statistics too, also in training."""
    model = make(frozen=True).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert trained == {
        'backbone.layers.1.0.weight',
        'backbone.layers.1.0.bias',
        'backbone.layers.2.0.weight',
        'backbone.layers.2.0.bias',
        *(f'head.{name}' for name, _ in model.head.named_parameters()),
    }
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), 0.1)
    sum(model.loss(images, LABELS).values()).backward()
    optimizer.step()
    changed = {
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == trained


def test_not_frozen(images):
    """Without ImageNet weights everything learns."""
    model = make().train()
    before = model.backbone.layers[0][1].running_mean.clone()
    model.loss(images, LABELS)
    assert all(value.requires_grad for value in model.parameters())
    assert not torch.equal(model.backbone.layers[0][1].running_mean, before)


def test_statistics_are_those_of_the_images(images):
    """One update a step, by the images alone: the copies' maps are mostly padding.

    With both, evaluation normalises by a mixture that training never saw.
    """
    model, other = make().train(), make().train()
    model.loss(images, LABELS)
    other.maps(images)
    for ours, theirs in zip(batch_norms(model), batch_norms(other), strict=True):
        assert ours.running_mean.any() and ours.momentum == 0.1
        assert torch.equal(ours.running_mean, theirs.running_mean)
        assert torch.equal(ours.running_var, theirs.running_var)


def test_autocast(images):
    """bfloat16 convolutions, losses in float32, near the ones without."""
    model = make().eval()
    plain = model.loss(images, LABELS)
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.loss(images, LABELS)
    for name, value in losses.items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(plain[name].item(), rel=0.1, abs=0.02), name


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(scale=0), 'seam.model.scale is 0, expected a number above 0, up to 1'),
        (dict(scale=1.5), 'seam.model.scale is 1.5, expected'),
        (dict(scale='a'), "seam.model.scale is 'a', expected"),
        (
            dict(ref_num_classes=-1),
            'ref_num_classes is -1, expected a whole number of at least 2, or',
        ),
        (dict(ref_num_classes=2.5), 'ref_num_classes is 2.5, expected a whole'),
    ],
)
def test_bad_arguments(arguments, message):
    """Said when it is built: with a negative number of classes the losses would be negative."""
    with pytest.raises(InvalidInputError, match=message):
        make(**arguments)


def test_a_backbone_without_maps_for_cams():
    """Named, with what it lacks."""

    @MODELS.register_module(force=True)
    class NoStages(nn.Module):
        pass

    with pytest.raises(
        InvalidInputError, match='NoStages does not offer.*cam_stages.. and cam_stage_ch'
    ):
        SEAM(dict(type='NoStages'), 3)


@pytest.mark.parametrize(
    'backbone',
    [
        dict(type='ResNet', depth=18, output_stride=8),
        dict(type='ResNet', depth=50, output_stride=8),
        dict(type='ResNet38d', width=2),
        dict(type='BiSeNet', depth=18),
    ],
    ids=['r18', 'r50', 'r38d', 'bisenet'],
)
def test_every_backbone_of_ours(backbone):
    """If it fails, SEAM does not train on a backbone that has stages."""
    torch.manual_seed(0)
    model = SEAM(backbone, 3)
    losses = model.loss(torch.randn(2, 3, 64, 64), LABELS)
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    assert model.head.classifier.weight.grad.any()


class BareStages(nn.Module):
    """A backbone with no more than the docs ask for."""

    cam_stage_channels = (4, 4, 4)

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)

    def cam_stages(self, x):
        return (self.conv(x).relu(),) * 3


class BareTaps(nn.Module):
    """The same with the names of 0.1."""

    tap_channels = (4, 4, 4)

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)

    def taps(self, x):
        return (self.conv(x).relu(),) * 3


@pytest.mark.parametrize('backbone', [BareStages, BareTaps])
def test_a_backbone_with_three_maps_only(images, backbone):
    """If it fails, a backbone as documented ends in an AttributeError."""
    MODELS.register_module(module=backbone, force=True)
    kind = backbone.__name__
    model = SEAM(dict(type=kind), 3)
    model.init_weights()
    assert all(torch.isfinite(loss) for loss in model.loss(images, LABELS).values())
    assert set(model.state_dict()) >= {'backbone.conv.weight', 'head.classifier.weight'}
    with pytest.raises(InvalidInputError, match=f'{kind} does not name: it has no early_layers'):
        SEAM(dict(type=kind), 3, frozen=True)


def head_case(**kwargs):
    torch.manual_seed(0)
    head = SEAMHead((5, 6, 7), 3, side_channels=(4, 8), affinity_channels=10, **kwargs)
    stages = [torch.rand(2, channels, 6, 4).requires_grad_() for channels in (5, 6, 7)]
    return head.eval(), stages, torch.randn(2, 3, 48, 32)


def test_is_the_published_chain():
    """Scores of the raw maps, refined by colour and two projected stages, colour first.

    Another order, a ReLU after the last projection or stages that are not
    rectified would spoil published weights.
    """
    head, stages, images = head_case()
    cam, refined = head(stages, images)
    activations = torch.einsum('kc,nchw->nkhw', head.classifier.weight[:, :, 0, 0], stages[2])
    assert not cam[:, 0].any()
    torch.testing.assert_close(cam[:, 1:], activations)
    shallow, middle = (
        torch.einsum('kc,nchw->nkhw', layer.weight[:, :, 0, 0], stage).relu()
        for layer, stage in ((head.project_shallow, stages[0]), (head.project_middle, stages[1]))
    )
    stacked = torch.cat([resize_corners(images, (6, 4)), shallow, middle], 1)
    features = torch.einsum('kc,nchw->nkhw', head.project_all.weight[:, :, 0, 0], stacked)
    assert (features < 0).any()
    torch.testing.assert_close(refined, pixel_correlation(cam_scores(activations), features))


def test_published_shape_and_start():
    """512 -> 64, 1024 -> 128, 195 -> 192, no biases; the spread of the published start."""
    head = SEAMHead((512, 1024, 4096), 20)
    shapes = {name: tuple(value.shape[:2]) for name, value in head.named_parameters()}
    assert shapes == {
        'classifier.weight': (20, 4096),
        'project_shallow.weight': (64, 512),
        'project_middle.weight': (128, 1024),
        'project_all.weight': (192, 195),
    }
    spread = {name: value.std().item() for name, value in head.named_parameters()}
    expected = {
        'classifier.weight': (2 / 4116) ** 0.5,
        'project_shallow.weight': (2 / 512) ** 0.5,
        'project_middle.weight': (2 / 1024) ** 0.5,
        'project_all.weight': 4 * (2 / 387) ** 0.5,
    }
    assert spread == pytest.approx(expected, rel=0.03)
    assert head.dropout.p == 0.5


@pytest.mark.parametrize('which', [0, 1])
def test_gradient_stops(which):
    """The maps train the classifier and what is below; the refined ones the projections alone."""
    head, stages, images = head_case()
    head(stages, images)[which].square().sum().backward()
    trained = {
        name.partition('.')[0] for name, value in head.named_parameters() if value.grad is not None
    }
    assert trained == (
        {'classifier'} if which == 0 else {'project_shallow', 'project_middle', 'project_all'}
    )
    assert [stage.grad is not None for stage in stages] == [False, False, which == 0]


def test_stages_of_several_sizes():
    """A backbone with stride 8, 16 and 32: likeness at the finest size, maps at the coarsest."""
    head, stages, images = head_case()
    sizes = ((6, 4), (3, 2), (2, 1))
    stages = [resize_corners(stage, size) for stage, size in zip(stages, sizes)]
    cam, refined = head(stages, images)
    assert cam.shape == (2, 4, 2, 1) and refined.shape == (2, 4, 6, 4)
    assert refined.isfinite().all()


def test_chunks_where_no_gradient_is_recorded():
    """Large images at inference: a bounded memory, the same numbers."""
    head, stages, images = head_case(chunk=5)
    dense = head(stages, images)[1].detach()
    with torch.no_grad():
        torch.testing.assert_close(head(stages, images)[1], dense, rtol=0, atol=1e-6)


def held(frozen):
    model = FineTuned()
    model.backbone = ResNet(depth=18, num_stages=3, output_stride=8)
    model.freeze(frozen)
    return model.train()


def norms(model):
    return [part for part in model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]


def test_held():
    """If it fails, ImageNet's statistics are lost in a few small batches."""
    model = held(True)
    early = [weight for part in model.backbone.early_layers() for weight in part.parameters()]
    assert early and not any(weight.requires_grad for weight in early)
    assert norms(model)
    assert not any(norm.training or norm.weight.requires_grad for norm in norms(model))
    last = [part for part in model.modules() if isinstance(part, nn.Conv2d)][-1]
    assert last.weight.requires_grad and model.training
    assert not any(part.training for part in model.eval().modules())


def test_free():
    """From noise nothing may be held."""
    model = held(False)
    assert all(weight.requires_grad for weight in model.parameters())
    assert all(norm.training for norm in norms(model))
