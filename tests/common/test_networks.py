"""What every registered head and segmentor promises."""

import pytest
import torch
from mmengine.structures import PixelData
from torch import nn

from incseg.registry import MODELS
from incseg.structures import SegDataSample
from tests.common.contract import Contract, Example
from tests.common.toys import network_config

NORM = dict(norm_cfg=dict(type='incseg.BN'))
HEADS = Contract(
    'decode head',
    MODELS,
    'incseg.models.decode_heads',
    dict(
        ASPPHead=Example(rates=[2, 3]),
        DeepLabV3PlusHead=Example(rates=[2, 3]),
        FCNHead=Example(),
        LRASPPHead=Example(),
        LinearHead=Example(),
        MLPHead=Example(),
    ),
    __file__,
)
SEGMENTORS = Contract(
    'segmentor',
    MODELS,
    'incseg.models.segmentors',
    dict(
        EncoderDecoder=Example(**network_config()),
        IncrementalSegmentor=Example(**network_config()),
    ),
    __file__,
)


def images(count=1, size=(97, 131)):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


def head(name, outputs=(4, 2)):
    torch.manual_seed(0)
    made = HEADS.build(name, in_channels=6, channels=5, in_index=1)
    made.build_classifier(outputs)
    return made.eval()


def maps(count=2):
    generator = torch.Generator().manual_seed(0)
    shapes = ((4, 16, 18), (6, 8, 9), (8, 4, 5))
    return tuple(torch.randn(count, *shape, generator=generator) for shape in shapes)


@HEADS.each()
@torch.no_grad()
def test_heads_shapes(name):
    """If it fails, a head's logits have another scale or number than all else expects."""
    made = head(name)
    features = made.forward_features(maps())
    assert features.shape == (2, made.channels, 8, 9)
    logits = made(maps())
    assert logits.shape == (2, 6, 8, 9)
    again, kept = made(maps(), keep_features=True)
    assert torch.equal(again, logits) and torch.equal(kept, features)
    torch.testing.assert_close(made.classify(features), logits)
    single = torch.cat([made(tuple(x[i : i + 1] for x in maps())) for i in range(2)])
    torch.testing.assert_close(single, logits, rtol=1e-4, atol=1e-6)


@HEADS.each()
@torch.no_grad()
def test_heads_grow(name):
    """If it fails, the teacher's counterpart of a head is not its beginning."""
    assert (head(name, [4]).num_old, head(name).num_old, head(name, [4, 1, 2]).num_old) == (1, 4, 5)
    teacher, student = head(name, [4]), head(name, [4, 2])
    missing = student.load_state_dict(teacher.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all('classifier.steps.1' in key for key in missing.missing_keys)
    torch.testing.assert_close(student(maps())[:, :4], teacher(maps()))


@HEADS.each()
@torch.no_grad()
def test_heads_decide_on_each_pixel(name):
    """If it fails, a prediction depends on how an image is cut into parts, or names a class that
    the step does not have; or the new parameters of a step are not those that it adds."""
    made = head(name)
    logits = 3 * torch.randn(2, made.classifier.num_outputs, 7, 9)
    decided = made.decide(logits)
    assert decided.shape == (2, 7, 9) and decided.dtype == torch.uint8
    assert decided.max() < 4 + 2 and len(decided.unique()) > 3
    parts = [made.decide(logits[i : i + 1, :, :, :4]) for i in range(2)]
    assert torch.equal(torch.cat(parts), decided[:, :, :4])
    added = set(made.state_dict()) - set(head(name, [4]).state_dict())
    assert set(made.new_parameter_names()) == added


@HEADS.each()
def test_heads_options(name):
    """If it fails, a head drops an option that every head has, or is used before it is complete."""
    loss = nn.Module()
    made = HEADS.build(
        name, in_channels=6, channels=5, in_index=1, loss_decode=loss, dropout_ratio=0.0, **NORM
    )
    assert made.loss_decode is loss and (made.in_index, made.channels) == (1, 5)
    assert not any(isinstance(part, nn.Dropout2d) for part in made.modules())
    with pytest.raises(RuntimeError, match='build_classifier'):
        made(maps())
    made.build_classifier([3])
    value = made.train()(maps()).square().mean()
    gradients = torch.autograd.grad(value, list(made.parameters()), allow_unused=True)
    assert all(gradient is not None for gradient in gradients)


def segmentor(name, **options):
    torch.manual_seed(0)
    return SEGMENTORS.build(name, **options).eval()


def sample(**meta):
    made = SegDataSample()
    made.set_metainfo(meta)
    return made


def training_batch(count=2, size=(32, 40)):
    labels = torch.arange(count * 32 * 40).view(count, *size) % 6
    labels[:, :4] = 255
    samples = [sample() for _ in labels]
    for made, label in zip(samples, labels.to(torch.uint8)):
        made.gt_sem_seg = PixelData(data=label[None])
    return images(count, size), samples


@SEGMENTORS.each()
def test_losses_of_a_segmentor(name):
    """If it fails, a head is not trained, or a loss has a name that logs and hooks do not know."""
    net = segmentor(name).train()
    losses = net(*training_batch(), mode='loss')
    assert list(losses) == ['decode_head.loss', 'aux.loss']
    assert all(value.shape == () and value.isfinite() for value in losses.values())
    parameters = [value for value in net.parameters() if value.requires_grad]
    gradients = torch.autograd.grad(sum(losses.values()), parameters, allow_unused=True)
    assert all(gradient is not None for gradient in gradients)
    double = segmentor(name, auxiliary_weight=2.0)
    single = segmentor(name)
    ours, theirs = (made(*training_batch(), mode='loss') for made in (double, single))
    torch.testing.assert_close(ours['aux.loss'], 2 * theirs['aux.loss'])
    torch.testing.assert_close(ours['decode_head.loss'], theirs['decode_head.loss'])


@SEGMENTORS.each()
@torch.no_grad()
def test_predictions_of_a_segmentor(name):
    """If it fails, a prediction has another size than its label, or depends on padding or on the
    other images of the batch."""
    net = segmentor(name)
    for convs in (made.classifier.convs for made in net.heads.values()):
        for conv in convs:
            nn.init.normal_(conv.weight)
    batch = images(3, (32, 40))
    shapes = [(32, 40), (24, 40), (32, 33)]
    wanted = [(32, 40), (50, 61), (9, 11)]
    samples = [sample(img_shape=shape, ori_shape=ori) for shape, ori in zip(shapes, wanted)]
    made = net(batch, samples, mode='predict')
    assert made[0] is samples[0]
    for i, (predicted, (height, width), size) in enumerate(zip(made, shapes, wanted)):
        label = predicted.pred_sem_seg.data
        assert label.shape == (1, *size) and label.dtype == torch.uint8 and label.max() < 6
        assert len(label.unique()) > 1
        alone = net(batch[i : i + 1, :, :height, :width], [sample(ori_shape=size)], mode='predict')
        assert torch.equal(alone[0].pred_sem_seg.data, label)
    logits = net(batch)
    assert logits.shape == (3, 6, 4, 5)
    plain = net(batch, mode='predict')
    assert plain[0].pred_sem_seg.data.shape == (1, 32, 40)
    with pytest.raises(ValueError, match="mode is 'train'"):
        net(batch, mode='train')


@SEGMENTORS.each()
@torch.no_grad()
def test_grows_from_the_previous_step(name):
    """If it fails, weights of the previous step are lost, or taken for those of the new classes."""
    for outputs in ([4, 2], [4, 2, 1]):
        before = segmentor(name, outputs_per_step=outputs[:-1])
        net = segmentor(name, outputs_per_step=outputs)
        state = {key: value.clone() for key, value in before.state_dict().items()}
        adapted = net.adapt_previous(dict(state))
        assert set(net.state_dict()) - set(adapted) <= set(net.new_parameter_names())
        missing = net.load_state_dict(adapted, strict=False)
        assert not missing.unexpected_keys
        assert all(torch.equal(state[key], value) for key, value in before.state_dict().items())
        old = sum(outputs[:-1])
        torch.testing.assert_close(net(images(1, (32, 40)))[:, :old], before(images(1, (32, 40))))


@SEGMENTORS.each()
@torch.no_grad()
def test_outputs_of_a_segmentor(name):
    """If it fails, methods that read maps between input and logits get none, or other ones."""
    net = segmentor(name)
    plain = net.extract(images(1, (32, 40)))
    assert list(plain.logits) == list(net.heads) == ['decode_head', 'aux']
    assert not plain.stages and not plain.head_features and plain.size == (32, 40)
    full = net.extract(images(1, (32, 40)), intermediate=True)
    assert tuple(x.shape[1] for x in full.stages) == net.backbone.stage_channels
    assert list(full.head_features) == ['decode_head', 'aux']
    assert list(net.extract(images(1, (32, 40)), auxiliary=False).logits) == ['decode_head']
    for key, logits in plain.logits.items():
        torch.testing.assert_close(full.logits[key], logits, rtol=1e-5, atol=1e-6)
        assert full.full_size(key).shape == (1, 6, 32, 40)
