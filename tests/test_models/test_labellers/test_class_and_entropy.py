"""Best class and entropy by rows: where it is cut must not be seen."""

from math import log

import pytest
import torch

from incseg.models.labellers import uncertainty as module
from incseg.models.labellers.uncertainty import entropy_map, entropy_maps
from incseg.structures.network_outputs import upsample

SIZES = [
    ((4, 5), (32, 40)),
    ((3, 4), (13, 29)),
    ((7, 3), (7, 3)),
    ((6, 6), (5, 4)),
    ((1, 1), (8, 8)),
]


def plain(logits, size):
    probabilities = upsample(logits[None], size).softmax(1)[0]
    return probabilities.argmax(0), torch.special.entr(probabilities).sum(0)


@pytest.mark.parametrize('chunk', [1, 700, 1 << 19])
@pytest.mark.parametrize('channels', [1, 2, 21, 151])
@pytest.mark.parametrize('low, full', SIZES)
def test_equals_the_plain_form(low, full, channels, chunk, monkeypatch):
    """If it fails, pseudo-labels are not the teacher's."""
    monkeypatch.setattr(module, 'CHUNK', chunk)
    logits = 4 * torch.randn(channels, *low, dtype=torch.float64)
    best, entropy = entropy_map(logits, full)
    expected, uncertainty = plain(logits, full)
    assert best.dtype == torch.uint8
    assert torch.equal(best.long(), expected)
    torch.testing.assert_close(entropy, uncertainty, rtol=1e-10, atol=1e-13)


def test_more_than_256_classes():
    """If it fails, class 256 is written as background."""
    logits = torch.zeros(300, 2, 2)
    logits[299, 0, 0] = logits[256, 1, 1] = 50.0
    best, _ = entropy_map(logits, (2, 2))
    assert best.dtype == torch.int64
    assert best[0, 0] == 299 and best[1, 1] == 256


def test_certain_and_uncertain():
    """If it fails, a sure pixel has a negative or undefined entropy."""
    logits = torch.zeros(4, 1, 2)
    logits[2, 0, 0] = 1e4
    _, entropy = entropy_map(logits, (1, 2))
    assert entropy[0, 0] == 0
    assert entropy[0, 1].item() == pytest.approx(log(4))


def test_batches_and_half_types():
    """If it fails, images are mixed up, or autocast makes entropies of three digits."""
    logits = (4 * torch.randn(5, 6, 4, 4)).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        maps = entropy_maps(logits, (16, 16))
    assert len(maps) == 5
    for image, (best, entropy) in zip(logits, maps):
        expected, uncertainty = plain(image.float(), (16, 16))
        assert entropy.dtype == torch.float32
        assert torch.equal(best.long(), expected)
        torch.testing.assert_close(entropy, uncertainty, rtol=1e-4, atol=1e-5)
