"""The best class of every pixel without full-size logits: what argmax of the plain form gives."""

import importlib
import sys

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from incseg.models.decode_heads import class_map as module
from incseg.models.decode_heads.class_map import class_map, class_map_at_once, first_best


def random_logits(channels=21, height=32, width=40, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(channels, height, width, generator=generator).to(dtype)


def plain(logits, *sizes):
    """Scores by torch alone, ``(C, H, W)``."""
    scores = logits[None].float() if logits.dtype.itemsize < 4 else logits[None]
    for size in sizes:
        scores = F.interpolate(scores, size, mode='bilinear', align_corners=False)
    return scores[0]


@pytest.mark.parametrize(
    'sizes',
    [
        [(256, 320)],
        [(256, 320), (500, 375)],
        [(256, 320), (90, 70)],
        [(251, 317)],
        [(20, 30)],
        [(32, 40)],
        [(32, 40), (256, 320)],
        [(1, 1)],
        [(1, 320), (256, 2)],
    ],
)
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
def test_the_plain_forms_classes(sizes, dtype):
    """If it fails, resizing twice became resizing once, or rows are shifted.

    Sums are rounded in another order; so a pixel may differ where its two best
    classes are equal up to rounding, and nowhere else.
    """
    logits = random_logits(dtype=dtype)
    labels, scores = class_map(logits, *sizes), plain(logits, *sizes)
    best, second = scores.topk(2, 0).values
    same = labels == scores.argmax(0)
    assert labels.dtype == torch.uint8
    assert same.float().mean() >= 0.9999
    assert (best - second)[~same].lt(1e-5).all()
    assert torch.equal(class_map_at_once(logits, *sizes), scores.argmax(0).to(torch.uint8))


def test_one_resizing_is_not_two():
    """If it fails, the test above could not tell them apart."""
    logits = random_logits()
    once, twice = class_map(logits, (90, 70)), class_map(logits, (256, 320), (90, 70))
    assert (once != twice).float().mean() > 0.001


@pytest.mark.parametrize('channels', [1, 2, 255, 256, 257, 300])
def test_any_number_of_classes(channels):
    """If it fails, train ids overflow a byte."""
    logits = random_logits(channels, 6, 5)
    labels = class_map(logits, (48, 40))
    assert labels.dtype == (torch.uint8 if channels <= 256 else torch.int64)
    assert torch.equal(labels.long(), plain(logits, (48, 40)).argmax(0))
    logits[-1] += 100
    assert class_map(logits, (48, 40)).eq(channels - 1).all()


def test_the_first_of_equals():
    """If it fails, ties (as in an untrained network) are not argmax's."""
    assert class_map(torch.zeros(5, 3, 4), (9, 8)).eq(0).all()
    scores = torch.randint(0, 3, (4, 7, 6)).float()
    assert torch.equal(first_best(scores).long(), scores.argmax(1))


@pytest.mark.parametrize('chunk', [1, 21 * 320 * 7, 1 << 30])
def test_chunks_do_not_show(monkeypatch, chunk):
    """If it fails, borders of chunks are visible in the prediction."""
    logits = random_logits()
    expected = class_map(logits, (256, 320), (130, 320))
    monkeypatch.setattr(module, 'CHUNK', chunk)
    assert (class_map(logits, (256, 320), (130, 320)) == expected).float().mean() > 0.9999


def test_no_full_size_logits():
    """If it fails, the memory of a prediction grows with size times classes."""
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.numel())
            return result

    with Watch():
        class_map(random_logits(21, 64, 64), (512, 512))
    assert 0 < largest <= 21 * 512 * 512 / 7


@pytest.mark.parametrize('value', [float('inf'), -float('inf'), float('nan')])
def test_one_bad_logit_spoils_its_surroundings_alone(value):
    """If it fails, an overflow at one place empties whole rows of the prediction."""
    logits = random_logits()
    logits[3, 10, 10] = value
    assert torch.equal(class_map(logits, (256, 320)).long(), plain(logits, (256, 320)).argmax(0))


def test_logits_with_a_graph():
    """If it fails, predict() works under no_grad alone."""
    logits = random_logits()
    assert torch.equal(
        class_map(logits.clone().requires_grad_(), (64, 80)), class_map(logits, (64, 80))
    )


def test_its_names_of_before():
    """If it fails, a script written for 0.1 stops at its import."""
    sys.modules.pop('incseg.models.segmentors.label_map', None)
    with pytest.warns(DeprecationWarning, match='is now incseg.models.decode_heads.class_map'):
        old = importlib.import_module('incseg.models.segmentors.label_map')
    assert old.label_map is class_map and old.label_map_at_once is class_map_at_once
    assert old.first_best is first_best
