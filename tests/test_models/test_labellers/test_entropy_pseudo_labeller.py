"""PLOP's pseudo-labels: which pixels are taught what, and how much an image counts."""

import subprocess
import sys
from math import inf, log

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models.labellers.entropy import class_medians, published_medians
from incseg.models.labellers.uncertainty import entropy_of
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs
from incseg.structures.network_outputs import upsample


def build(**options):
    return MODELS.build(dict(type='EntropyPseudoLabeller', **options))


def outputs(logits):
    return NetworkOutputs((), dict(decode_head=logits), tuple(logits.shape[-2:]))


def case():
    """Three images of 24 x 20, 4 old outputs, new labels 4 and 5; by arithmetic alone."""
    logits = (6 * (0.7 * torch.arange(3 * 4 * 6 * 5, dtype=torch.float64)).sin()).float()
    labels = torch.zeros(3, 24, 20, dtype=torch.uint8)
    labels[0, :8], labels[1] = 4, 5
    labels[2, 4:6] = labels[0, 10, :7] = 255
    return labels, outputs(logits.view(3, 4, 6, 5))


def test_published_values():
    """If it fails, `paper_code` is not the published code: thresholds, labels, weights."""
    labels, teacher = case()
    labeller = build(median='paper_code')
    labeller.prepare([(labels, teacher)], num_classes=6)
    assert labeller.thresholds.tolist() == pytest.approx(
        [0.07914634048938751, 0.0010000000474974513, 0.0010000000474974513, 0.11815789341926575],
        rel=1e-6,
    )
    found, weight = labeller(labels, None, teacher)
    counts = [[int((image == c).sum()) for c in (*range(6), 255)] for image in found]
    assert counts == [
        [19, 4, 0, 65, 160, 0, 232],
        [0, 0, 0, 0, 0, 480, 0],
        [21, 12, 6, 69, 0, 0, 372],
    ]
    assert weight.tolist() == pytest.approx([0.2811501622200012, 0.0, 0.2454545497894287], rel=1e-6)
    assert found.dtype == torch.uint8 and weight.dtype == torch.float32


def test_true_medians():
    """If it fails, not half of each class's pixels are below its threshold."""
    labels, teacher = case()
    labeller = build()
    labeller.prepare([(labels, teacher)], num_classes=6)
    found, weight = labeller(labels, None, teacher)
    best = upsample(teacher.logits['decode_head'], (24, 20)).argmax(1)
    old = labels < 4
    for c in range(4):
        seen = int((old & (best == c)).sum())
        kept = int((old & (best == c) & (found == c)).sum())
        assert abs(kept - seen / 2) <= 1, c
    assert (labeller.thresholds > 0).all() and (labeller.thresholds < 1).all()
    sure = (found < 4).sum((1, 2))
    torch.testing.assert_close(weight, sure / (old.sum((1, 2)) + 1e-6))


def test_what_stays():
    """If it fails, a new class or void is overwritten, or an old pixel keeps its label."""
    labels, teacher = case()
    labels[2, 6:9] = 2  # an old class, as `sequential` annotates it
    labeller = build()
    labeller.prepare([(labels, teacher)], num_classes=6)
    found, _ = labeller(labels, None, teacher)
    before = labels.clone()
    fixed = labels >= 4
    assert torch.equal(found[fixed], labels[fixed])
    assert set(found[~fixed].unique().tolist()) <= {0, 1, 2, 3, 255}
    assert (found[2, 6:9] != 2).any()
    assert torch.equal(before, labels), 'the given labels are not written to'


def test_all_or_nothing_is_sure():
    """If it fails, the least threshold is not applied, or the comparison is the wrong way."""
    logits = torch.zeros(1, 3, 2, 2)
    labels = torch.zeros(1, 4, 4, dtype=torch.uint8)
    labeller = build()
    logits[:, 1] = 100.0
    labeller.prepare([(labels, outputs(logits))], num_classes=4)
    assert labeller.thresholds.tolist() == pytest.approx([0.003 * log(4)] * 3)
    found, weight = labeller(labels, None, outputs(logits))
    assert (found == 1).all() and weight.item() == pytest.approx(1)
    found, weight = labeller(labels, None, outputs(torch.zeros(1, 3, 2, 2)))
    assert (found == 255).all() and weight.item() == 0


@pytest.mark.parametrize('value', [5, 255])
def test_no_old_pixel(value):
    """If it fails, an image of new classes or of void alone brings 0 / 0."""
    labels, teacher = case()
    labeller = build()
    labeller.prepare([(labels, teacher)], num_classes=6)
    same = torch.full_like(labels, value)
    found, weight = labeller(same, None, teacher)
    assert torch.equal(found, same)
    assert weight.tolist() == [0.0, 0.0, 0.0]


def test_step_without_old_pixels():
    """If it fails, a data set without background pixels cannot be prepared."""
    labels, teacher = case()
    for median in ('fixed', 'paper_code'):
        labeller = build(median=median)
        labeller.prepare([(torch.full_like(labels, 5), teacher)], num_classes=6)
        nats = labeller.thresholds * labeller.nats
        assert nats.tolist() == pytest.approx([0.001 * 4 * log(4) * log(6)] * 4)


@pytest.mark.parametrize('old, classes', [(2, 3), (16, 17), (101, 151)])
def test_one_floor(old, classes):
    """If it fails, a confident teacher labels fewer pixels with one median than with the other.

    The published floor is 0.001 where an entropy is divided by K log K log C.
    """
    logits = torch.zeros(1, old, 4, 4)
    logits[:, 0], logits[:, 1, :, :2] = 20.0, 10.0
    labels, floor = torch.zeros(1, 4, 4, dtype=torch.uint8), 0.001 * old * log(old) * log(classes)
    least, most = (float(x) for x in entropy_of(logits.double())[0, 0, [3, 0]])
    assert least < most < floor
    for median in ('fixed', 'paper_code'):
        labeller = build(median=median, min_threshold=0.001)
        labeller.prepare([(torch.full_like(labels, old), outputs(logits))], num_classes=classes)
        assert labeller.thresholds.double() * labeller.nats == pytest.approx(floor, rel=1e-5)
        assert (labeller(labels, None, outputs(logits))[0] == 0).all()


@pytest.mark.parametrize('median', ['fixed', 'paper_code'])
def test_background_alone(median):
    """If it fails, a teacher with one output divides by log 1."""
    labels, teacher = torch.zeros(1, 4, 4, dtype=torch.uint8), outputs(torch.randn(1, 1, 2, 2))
    labeller = build(median=median)
    labeller.prepare([(labels, teacher)], num_classes=3)
    found, weight = labeller(labels, None, teacher)
    assert torch.equal(found, labels) and weight.item() == pytest.approx(1)


@pytest.mark.parametrize(
    'old, dtype, expected',
    [
        (150, torch.uint8, torch.uint8),
        (150, torch.int64, torch.int64),
        (300, torch.uint8, torch.int64),
        (300, torch.int64, torch.int64),
    ],
)
def test_many_classes(old, dtype, expected):
    """If it fails, ADE's classes do not fit, or void counts as an old class of more than 255."""
    labels = torch.zeros(1, 4, 4, dtype=dtype)
    labels[0, 0] = 255
    logits = torch.zeros(1, old, 4, 4)
    logits[:, old - 1] = 100.0
    labeller = build()
    labeller.prepare([(labels, outputs(logits))], num_classes=old + 1)
    found, weight = labeller(labels, None, outputs(logits))
    assert found.dtype == expected
    assert (found[0, 0] == 255).all() and (found[0, 1:] == old - 1).all()
    assert weight.item() == pytest.approx(1)


def test_parts_make_the_whole():
    """If it fails, thresholds depend on how the data are cut into batches."""
    labels, teacher = case()
    whole, parts = build(), build()
    whole.prepare([(labels, teacher)], 6)
    logits = teacher.logits['decode_head']
    parts.prepare(((labels[i : i + 1], outputs(logits[i : i + 1])) for i in range(3)), 6)
    assert torch.equal(whole.thresholds, parts.thresholds)
    with pytest.raises(ValueError, match='got no batch'):
        build().prepare([], 6)


PROCESSES = """
import sys
import torch
import torch.distributed as dist
from incseg.models.labellers import EntropyPseudoLabeller
from incseg.structures import NetworkOutputs
rank = int(sys.argv[1])
dist.init_process_group('gloo', init_method='file://' + sys.argv[2], rank=rank, world_size=2)
torch.manual_seed(0)
logits = 4 * torch.randn(4, 3, 5, 5)
labels = torch.zeros(4, 20, 20, dtype=torch.uint8)
def prepared(part):
    labeller = EntropyPseudoLabeller()
    outputs = NetworkOutputs((), dict(decode_head=logits[part]), (20, 20))
    labeller.prepare([(labels[part], outputs)], 4)
    return labeller.thresholds
shared = prepared(slice(2 * rank, 2 * rank + 2))
dist.destroy_process_group()
assert torch.equal(shared, prepared(slice(None)))
assert not torch.equal(shared, prepared(slice(2 * rank, 2 * rank + 2)))
"""


def test_two_processes_share_their_histograms(tmp_path):
    """If it fails, each process labels by the half of the data that it saw."""
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', PROCESSES, str(rank), str(tmp_path / 'meet')],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors


def test_forgotten_preparation():
    """If it fails, labels are replaced by thresholds of nothing."""
    labels, teacher = case()
    with pytest.raises(RuntimeError, match=r'call prepare\(\) first'):
        build()(labels, None, teacher)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(median='true'), "median is 'true', expected 'fixed' or 'paper_code'"),
        (dict(min_threshold=-1), 'min_threshold is -1, expected a number of at least 0'),
        (dict(min_threshold='a'), "min_threshold is 'a'"),
        (dict(min_threshold=float('nan')), 'min_threshold is nan'),
    ],
)
def test_bad_arguments(options, message):
    """If it fails, a mistake is found after step 0 was trained."""
    with pytest.raises(InvalidInputError, match=message):
        build(**options)


def test_unknown_head():
    """If it fails, a misspelt head is found after step 0 was trained."""
    network = type('Network', (), dict(heads=dict(decode_head=None)))()
    build().check(network)
    with pytest.raises(InvalidInputError, match="source is 'aux', expected 'decode_head'"):
        build(source='aux').check(network)


def test_medians_of_drawn_values():
    """If it fails, more or fewer than half of a class's pixels are below its threshold."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(5, 1001, generator=generator, dtype=torch.float64) ** torch.tensor(
        [[1.0], [2.0], [4.0], [8.0], [0.3]]
    )
    bins = 10_000
    histograms = torch.stack(
        [torch.bincount((row * bins).long(), minlength=bins) for row in values]
    )
    found = class_medians(histograms)
    torch.testing.assert_close(found, values.median(1).values, rtol=0, atol=1 / bins)


@pytest.mark.parametrize(
    'counts, median',
    [
        ([4, 0, 0, 0], 0.125),
        ([0, 0, 0, 4], 0.875),
        ([1, 1, 1, 1], 0.5),
        ([2, 0, 0, 2], 0.25),
        ([1, 6, 1, 0], 0.375),
        ([1, 0, 0, 0], 0.125),
        ([0, 0, 0, 0], 0.0),
    ],
)
def test_medians_by_hand(counts, median):
    """If it fails, the bin is right but not the place in it, or an unseen class divides by zero."""
    assert class_medians(torch.tensor([counts])).item() == pytest.approx(median)


def test_many_pixels():
    """If it fails, half of the pixels of a large data set is rounded in float32."""
    count = 2**24 + 1
    histogram = torch.tensor([[count, 0, count, 2]])
    expected = (2 + 1 / count) / 4
    assert class_medians(histogram).item() == pytest.approx(expected, rel=1e-15)


#: counts, empty bins after them, what the published code returned
PUBLISHED = [
    ([4, 6], 3, 0.36666667461395264),
    ([10, 3], 1, 0.21666666865348816),
    ([2, 8, 2], 0, 0.5833333730697632),
    ([40, 60], 98, 0.018333332613110542),
    ([40, 20, 40], 97, -inf),
    ([4000, 2000, 4100], 97, inf),
    ([1, 0, 0, 1], 96, 0.009999999776482582),
    ([], 100, 0.0),
]


@pytest.mark.parametrize('counts, empty, median', PUBLISHED)
def test_published_medians(counts, empty, median):
    """If it fails, `paper_code` is not what the published numbers were made with."""
    histogram = torch.tensor([[*counts, *[0] * empty]], dtype=torch.int64)
    assert published_medians(histogram).item() == median


def test_published_is_the_median_in_the_first_bin():
    """If it fails, the two differ where the published slip cannot matter."""
    histograms = torch.tensor([[60] + [40] + [0] * 98, [99] + [1] * 99])
    torch.testing.assert_close(
        published_medians(histograms), class_medians(histograms).float(), rtol=1e-6, atol=0
    )
    assert published_medians(torch.tensor([[40, 60]])) > class_medians(torch.tensor([[40, 60]]))
