"""What the terms on probabilities share: the fused form must be the plain one."""

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs


@pytest.mark.parametrize('name', ['LogitsDistillation', 'UnbiasedLogitsDistillation'])
def test_fused_is_plain(name):
    """If it fails, `fused=False` keeps something else of the teacher than the default."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (
        NetworkOutputs((), dict(aux=torch.randn(2, channels, 3, 4, generator=generator)), (24, 32))
        for channels in (6, 4)
    )
    values = [
        MODELS.build(dict(type=name, loss_weight=5.0, source='aux', alpha=0.5, fused=fused))(
            student, teacher
        )
        for fused in (True, False)
    ]
    torch.testing.assert_close(*values)


@pytest.mark.parametrize('name', ['LogitsDistillation', 'UnbiasedLogitsDistillation'])
@pytest.mark.parametrize('alpha', ['x', -1, True])
def test_bad_alpha(name, alpha):
    """If it fails, it is found after the base step was trained."""
    with pytest.raises(InvalidInputError, match=f'^{name} alpha is {alpha!r}, expected a number'):
        MODELS.build(dict(type=name, alpha=alpha))
