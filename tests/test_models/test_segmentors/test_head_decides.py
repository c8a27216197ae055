"""The head says how logits become classes, and everything that needs classes follows it."""

import pytest
import torch
from mmengine.structures import PixelData
from torch import nn

from incseg.apis import prepare_for_inference
from incseg.errors import InvalidInputError
from incseg.evaluation import ConfusionMetric
from incseg.models import BaseDecodeHead, FCNHead
from incseg.models.decode_heads.class_map import CHUNK, class_map
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs, SegDataSample
from incseg.structures.network_outputs import upsample


@MODELS.register_module(force=True)
class ForegroundHead(FCNHead):
    """Sigmoids of the classes without a background; no class above 0.5 is background."""

    has_background = False

    def decide(self, logits):
        probability, best = logits.sigmoid().max(1)
        return (best + 1).where(probability > 0.5, 0)


@MODELS.register_module(force=True)
class ForegroundLoss(nn.Module):
    """One sigmoid per class, train ids from 1."""

    without_background = True

    def forward(self, logits, target, *, num_old, ignore_index):
        ids = torch.arange(1, logits.shape[1] + 1)[:, None, None]
        wanted = (target[:, None] == ids).to(logits)
        return nn.functional.binary_cross_entropy_with_logits(logits, wanted)


HEAD = dict(type='ForegroundHead', loss_decode=dict(type='ForegroundLoss'))
NETWORK = dict(decode_head=HEAD, auxiliary_head=dict(aux_16=HEAD))
LABELLER = dict(type='EntropyPseudoLabeller', median='fixed')


def decided(logits, *sizes):
    """Classes of logits ``(N, C, h, w)`` after resizing, written out."""
    for size in sizes:
        logits = upsample(logits, size)
    best = logits.argmax(1) + 1
    return best.where((logits > 0).any(1), 0)


def spread(model):
    """Let every class win somewhere, and none elsewhere."""
    generator = torch.Generator().manual_seed(3)
    for head in model.heads.values():
        for conv in head.classifier.convs:
            conv.weight.data.normal_(generator=generator)
            conv.bias.data.fill_(-0.7)
    return model


@pytest.fixture
def network(build):
    return spread(build([3, 2], **NETWORK)).eval()


@pytest.fixture
def inputs():
    return torch.randn(2, 3, 24, 20, generator=torch.Generator().manual_seed(1))


def test_the_classes_that_it_has(network, inputs):
    """If it fails, the background is counted as an output, or the old classes are shifted."""
    head = network.decode_head
    assert [conv.out_channels for conv in head.classifier.convs] == [2, 2]
    assert network(inputs).shape == (2, 4, 12, 10)
    assert (network.num_classes, network.outputs_per_step) == (5, (3, 2))
    assert (head.num_old, head.classifier.num_outputs) == (3, 4)


@pytest.mark.parametrize('full', [(24, 20), (31, 17)])
def test_prediction(network, inputs, full):
    """If it fails, the prediction is the argmax of outputs, shifted by the missing background."""
    samples = [SegDataSample(metainfo=dict(ori_shape=full)) for _ in inputs]
    labels = [sample.pred_sem_seg.data for sample in network.predict(inputs, samples)]
    expected = decided(network(inputs), (24, 20), full)
    assert torch.equal(torch.stack(labels)[:, 0].long(), expected)
    assert labels[0].dtype == torch.uint8 and set(expected.unique().tolist()) == set(range(5))
    fast = prepare_for_inference(network, 'float32').predict(inputs, samples)
    assert (fast[1].pred_sem_seg.data[0] == expected[1]).float().mean() > 0.99


def test_metric(network, inputs):
    """If it fails, the score is not that of the head's decision."""
    metric = ConfusionMetric()
    metric.dataset_meta = dict(classes=['background', 'a', 'b', 'c', 'd'])
    truth = torch.randint(0, 5, (2, 24, 20), generator=torch.Generator().manual_seed(2))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=mask[None])) for mask in truth]
    metric.process(None, [sample.to_dict() for sample in network.predict(inputs, samples)])
    right = (decided(network(inputs), (24, 20)) == truth).float().mean()
    assert metric.evaluate(2)['seg/accuracy'] == pytest.approx(100 * float(right))


@pytest.mark.parametrize('chunk', [1, 4 * 40 * 7, CHUNK])
@pytest.mark.parametrize('channels', [4, 100, 256])
def test_class_map_at_another_size(channels, chunk, monkeypatch):
    """If it fails, a part of the rows or channels decides, or 256 classes overflow a byte."""
    monkeypatch.setattr('incseg.models.decode_heads.class_map.CHUNK', chunk)
    logits = torch.randn(channels, 6, 5, generator=torch.Generator().manual_seed(0)) - 1
    logits[-1, :3] += 5
    decide = ForegroundHead(4, 4, loss_decode=ForegroundLoss()).decide
    labels = class_map(logits, (20, 17), (36, 40), decide=decide)
    assert labels.dtype == (torch.uint8 if channels < 256 else torch.int64)
    expected = decided(logits[None], (20, 17), (36, 40))[0]
    assert (labels == expected).float().mean() > 0.999
    assert labels.max() == channels
    logits[0, 0, 0] = float('inf')  # at once
    labels = class_map(logits, (20, 17), decide=decide)
    assert torch.equal(labels.long(), decided(logits[None], (20, 17))[0])


def test_pseudo_labels_of_the_teacher(build_pair, inputs):
    """If it fails, the labeller teaches the argmax of the old outputs, one class too low."""
    student = build_pair(
        [3, 2], init='RandomInit', distillation=None, target_labeller=LABELLER, **NETWORK
    )
    labels = torch.zeros(2, 24, 20, dtype=torch.uint8)
    labels[:, :4], labels[:, 4:6] = 3, 255
    logits = 3 * torch.randn(2, 2, 6, 5, generator=torch.Generator().manual_seed(0))
    teacher = NetworkOutputs((), dict(decode_head=logits), (24, 20))
    labeller = student.target_labeller
    labeller.check(student)
    labeller.prepare([(labels, teacher)], student.num_classes)
    assert labeller.thresholds.shape == (3,)
    replaced, weight = labeller(labels, student.extract(inputs), teacher)
    expected = decided(logits, (24, 20))
    old = labels < 3
    sure = old & (replaced != 255)
    assert torch.equal(replaced[sure].long(), expected[sure])
    assert set(replaced[sure].tolist()) == {0, 1, 2}
    assert torch.equal(replaced[~old], labels[~old])
    torch.testing.assert_close(weight, (sure.sum((1, 2)) / old.sum((1, 2))).float())


def test_it_learns(build_pair, inputs):
    """If it fails, such a head cannot be trained as a student."""
    student = build_pair([3, 2], init='RandomInit', distillation=None, **NETWORK)
    loss = sum(student.loss(inputs, torch.full((2, 24, 20), 4)).values())
    loss.backward()
    assert student.decode_head.classifier.convs[1].bias.grad.any()


@pytest.mark.parametrize(
    'options, message',
    [
        (
            dict(decode_head=dict(type='ForegroundHead')),
            'loss_decode is .CrossEntropyLoss., expected .*ForegroundHead has no background',
        ),
        (
            dict(distillation=dict(logits=dict(type='UnbiasedLogitsDistillation'))),
            "source is 'decode_head', expected a head with a background output",
        ),
        (
            dict(target_labeller=dict(type='OnlineLocaliser')),
            'background, which decode_head has no output for',
        ),
    ],
)
def test_parts_that_need_a_background_output_are_refused(build, options, message):
    """If it fails, class 0 of the head is taken for the background and nobody is told."""
    with pytest.raises(InvalidInputError, match=message):
        model = build([3, 2], **{**NETWORK, **options})
        for part in (*model.distillation.values(), model.target_labeller):
            if part is not None:
                part.check(model)


def test_a_start_that_needs_a_background_output_is_refused(network):
    """If it fails, the first class is shared out as if it were the background."""
    with pytest.raises(InvalidInputError, match="type is 'BackgroundBalancedInit', expected"):
        MODELS.build(dict(type='BackgroundBalancedInit'))(network.decode_head.classifier)


def test_a_head_without_background_has_to_decide():
    """If it fails, such a head silently predicts everywhere the class below."""

    class Undecided(BaseDecodeHead):
        has_background = False

        def forward_features(self, feats):
            return feats[0]

    with pytest.raises(TypeError, match=r'Undecided has no background output.*decide\(\)'):
        Undecided(4, 4).build_classifier([3])


def test_newest_parameters(build):
    """If it fails, a classifier that the previous step lacks is missed, or an old one reset."""
    for steps, last in (([3], 0), ([3, 2, 1], 2)):
        assert build(steps).new_parameter_names() == [
            f'{head}.classifier.steps.{last}.{name}'
            for head in ('decode_head', 'auxiliary_head.aux_16', 'auxiliary_head.aux_32')
            for name in ('weight', 'bias')
        ]


def test_weights_of_the_previous_step_are_taken_as_they_are(build):
    """If it fails, a network that does not change its structure loads something else."""
    state = build([3]).state_dict()
    assert build([3, 2]).adapt_previous(state) is state
