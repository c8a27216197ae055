"""LwF's registered term: which logits are compared, and how they are weighted."""

import torch

from incseg.models.losses.functional import distillation
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs
from incseg.structures.network_outputs import upsample


def outputs(channels: int, seed: int) -> NetworkOutputs:
    generator = torch.Generator().manual_seed(seed)
    logits = {
        name: torch.randn(1, channels, 2, 3, generator=generator)
        for name in ('decode_head', 'aux_16')
    }
    return NetworkOutputs((), logits, (8, 12))


def test_source_weight_and_alpha():
    """If it fails, the term reads another head, or at low resolution, or loses a factor."""
    student, teacher = outputs(5, 0), outputs(3, 1)
    values = []
    for source in ('decode_head', 'aux_16'):
        term = MODELS.build(
            dict(type='LogitsDistillation', loss_weight=100.0, source=source, alpha=2.0)
        )
        values.append(term(student, teacher))
        expected = 100 * distillation(
            upsample(student.logits[source], (8, 12)),
            upsample(teacher.logits[source], (8, 12)),
            2.0,
        )
        torch.testing.assert_close(values[-1], expected)
    assert values[0] != values[1]
