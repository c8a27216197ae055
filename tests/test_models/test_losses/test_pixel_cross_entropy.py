"""What both cross-entropies share: the fused form must be the plain one."""

import pytest
import torch

from incseg.registry import MODELS
from incseg.structures.network_outputs import upsample


@pytest.mark.parametrize('name', ['CrossEntropyLoss', 'UnbiasedCrossEntropyLoss'])
def test_fused_is_plain(name):
    """If it fails, `fused=False` trains something else than the default."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 6, 3, 4, generator=generator)
    target = torch.randint(0, 6, (2, 24, 32), generator=generator)
    target[0, :3] = 7
    weight = torch.tensor([0.5, 2.0])
    fused, plain = (
        MODELS.build(dict(type=name, loss_weight=2.0, fused=on)) for on in (True, False)
    )
    assert fused.low_resolution and not plain.low_resolution
    torch.testing.assert_close(
        fused(logits, target, num_old=4, ignore_index=7),
        plain(upsample(logits, (24, 32)), target, num_old=4, ignore_index=7),
    )
    options = dict(num_old=4, ignore_index=7, image_weight=weight)
    weighted = fused(logits, target, **options)
    torch.testing.assert_close(weighted, plain(upsample(logits, (24, 32)), target, **options))
    parts = [
        fused(logits[i : i + 1], target[i : i + 1], num_old=4, ignore_index=7) for i in range(2)
    ]
    torch.testing.assert_close(weighted, (0.5 * parts[0] + 2 * parts[1]) / 2)
