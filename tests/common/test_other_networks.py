"""What the networks behind pseudo-labels promise, and the parts that every network has."""

import pytest
import torch
from torch import nn

from incseg.registry import MODELS
from incseg.structures import SegDataSample
from tests.common.contract import Contract, Example
from tests.common.toys import ToyBackbone, samples

TOY = dict(type=ToyBackbone.__name__)
#: The promise: what it is trained with, 'image labels' of its two classes or 'pairs' of pixels.
NETWORKS = Contract(
    'network behind pseudo-labels',
    MODELS,
    (
        'incseg.models.weak.seam',
        'incseg.models.weak.seam_head',
        'incseg.models.weak.refinement.affinity_net',
    ),
    dict(
        AffinityNet=Example('pairs', backbone=TOY, channels=(2, 3, 4)),
        SEAM=Example('image labels', backbone=TOY, num_classes=2, scale=0.5),
        SEAMHead=Example('head', in_channels=(4, 6, 8), num_classes=2),
    ),
    __file__,
)
LAYERS = Contract(
    'layer', MODELS, 'incseg.models.backbones.base', dict(BN=Example(num_features=3)), __file__
)
PREPROCESSORS = Contract(
    'preprocessor',
    MODELS,
    'incseg.models.data_preprocessor',
    dict(SegDataPreProcessor=Example(None, {}, dict(bgr_to_rgb=False))),
    __file__,
)
WHOLE = NETWORKS.each_way(but='head')


def network(name, options, **other):
    torch.manual_seed(0)
    made = NETWORKS.build(name, **options, **other)
    made.init_weights()
    return made


def images(count=2, size=(33, 41)):
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(1))


def loss(name, made, size=(33, 41)):
    """The sum of the network's losses on two images."""
    if NETWORKS[name].promise == 'pairs':
        labels = torch.arange(2 * 30).view(2, 5, 6) % 3
        labels[0, 0] = 255
        return made.loss(images(2, size), labels)
    data = [SegDataSample() for _ in range(2)]
    for i, sample in enumerate(data):
        sample.gt_image_labels = torch.tensor([1.0, float(i)])
    losses = made(images(2, size), data, mode='loss')
    assert all(value.shape == () and value.isfinite() for value in losses.values())
    return sum(losses.values())


def output(name, made, batch):
    """The maps that pseudo-labels are made of."""
    return made(batch) if NETWORKS[name].promise == 'pairs' else made(batch, mode='predict')[1]


@WHOLE
def test_learns(name, options):
    """If it fails, a part of the network learns nothing, or a loss is no number."""
    made = network(name, options).train()
    parameters = dict(made.named_parameters())
    value = loss(name, made)
    assert value.shape == () and value.isfinite() and value.dtype == torch.float32
    gradients = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


@WHOLE
def test_held_as_fine_tuning_holds_it(name, options):
    """If it fails, what ImageNet left moves, or more of the network stands still than is said."""
    made = network(name, options, frozen=True).train()
    held = {id(p) for part in made.backbone.norm_layers() for p in part.parameters()}
    held |= {id(p) for part in made.backbone.early_layers() for p in part.parameters()}
    assert held
    for key, parameter in made.named_parameters():
        assert parameter.requires_grad == (id(parameter) not in held), key
    before = {key: x.clone() for key, x in made.backbone.state_dict().items()}
    loss(name, made)
    assert all(torch.equal(x, before[key]) for key, x in made.backbone.state_dict().items())


@WHOLE
@torch.no_grad()
def test_maps_of_an_image(name, options):
    """If it fails, pseudo-labels depend on the batch, or on what the network did before."""
    made = network(name, options).eval()
    batch = images(3)
    maps = output(name, made, batch)
    assert maps.ndim == 4 and len(maps) == 3 and maps.isfinite().all()
    single = torch.cat([output(name, made, batch[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(single, maps, rtol=1e-4, atol=1e-5)
    assert torch.equal(output(name, made, batch), maps)
    other = NETWORKS.build(name, **options).eval()
    other.load_state_dict(made.state_dict())
    assert torch.equal(output(name, other, batch), maps)
    if NETWORKS[name].promise == 'pairs':
        assert maps.shape == (3, 9, 5, 6), 'stride 8, rounded up'
    else:
        cams, scores = made(batch, mode='predict')
        assert cams.shape[:2] == scores.shape[:2] == (3, 3)
        assert not cams[:, 0].any(), 'the background is none'


@NETWORKS.each_way(but='head')
def test_loss_on_any_size(name, options):
    """If it fails, a training on another crop ends at once."""
    made = network(name, options).train()
    for size in ((40, 48), (37, 45)):
        assert loss(name, made, size).isfinite()


def test_heads_of_seam():
    """If it fails, a head's maps have other sizes than SEAM's losses take, or a memory limit
    changes them."""
    for name in (name for name, example in NETWORKS.examples.items() if example.promise == 'head'):
        made = {chunk: NETWORKS.build(name, chunk=chunk).eval() for chunk in (None, 7)}
        made[7].load_state_dict(made[None].state_dict())
        sizes = zip(NETWORKS[name]['in_channels'], ((12, 14), (6, 7), (3, 4)))
        taps = [torch.rand(2, channels, *size) for channels, size in sizes]
        with torch.no_grad():
            cams, scores = made[None](taps, images(2, (24, 28)))
            torch.testing.assert_close(made[7](taps, images(2, (24, 28)))[1], scores)
        assert cams.shape == (2, 3, 3, 4) and scores.shape == (2, 3, 12, 14)
        assert not cams[:, 0].any() and scores.dtype == torch.float32


@LAYERS.each()
def test_a_layer_is_torchs(name):
    """If it fails, weights of ImageNet do not fit, or a batch of one pixel ends the run."""
    layer, plain = LAYERS.build(name), nn.BatchNorm2d(3)
    for x in (torch.randn(2, 3, 4, 5), torch.randn(4, 3, 1, 1)):
        torch.testing.assert_close(layer(x), plain(x))
    assert layer.state_dict().keys() == plain.state_dict().keys()
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(layer.state_dict()[key], value)
    one = torch.randn(1, 3, 1, 1)
    with pytest.raises(ValueError):
        plain(one)
    torch.testing.assert_close(layer(one), layer.eval()(one))


@PREPROCESSORS.each_way()
def test_a_batch_is_normalised_and_padded(name, options):
    """If it fails, the network sees other colours than ImageNet's weights were trained on, or
    padding counts as background."""
    mean, std = (10.0, 20.0, 30.0), (2.0, 4.0, 5.0)
    preprocess = PREPROCESSORS.build(name, mean=mean, std=std, **options)
    batch = samples((4, 5), (6, 3))
    inputs, data = [sample['inputs'] for sample in batch], [s['data_samples'] for s in batch]
    labels = [sample.gt_sem_seg.data.clone() for sample in data]
    made = preprocess(dict(inputs=inputs, data_samples=data), training=True)
    assert made['inputs'].shape == (2, 3, 6, 5) and made['inputs'].dtype == torch.float32
    for i, (height, width) in enumerate(((4, 5), (6, 3))):
        image = inputs[i] if options else inputs[i].flip(0)
        scale = [torch.tensor(values)[:, None, None] for values in (mean, std)]
        expected = (image.float() - scale[0]) / scale[1]
        torch.testing.assert_close(made['inputs'][i, :, :height, :width], expected)
        assert made['inputs'][i].count_nonzero() == expected.count_nonzero(), 'padding is 0'
        label = made['data_samples'][i].gt_sem_seg.data
        assert torch.equal(label[:, :height, :width], labels[i])
        outside = torch.ones_like(label, dtype=torch.bool)
        outside[:, :height, :width] = False
        assert (label[outside] == 255).all() and label.shape == (1, 6, 5)
        assert made['data_samples'][i].img_shape == (height, width)
    assert 'mean' not in preprocess.state_dict(), 'no part of a checkpoint'
