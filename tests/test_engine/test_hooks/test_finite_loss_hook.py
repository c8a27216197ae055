import pytest
import torch

from incseg.engine.hooks import FiniteLossHook
from incseg.errors import NonFiniteLossError


def test_finite_losses_pass():
    """An ordinary iteration goes on."""
    FiniteLossHook(0).after_train_iter(None, 0, outputs=dict(loss=torch.tensor(1.)))
    FiniteLossHook(0).after_train_iter(None, 0, outputs=None)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_names_the_part_the_step_and_the_iteration(value):
    """The part that broke is named rather than the sum; iterations count from 1."""
    outputs = {'loss': torch.tensor(value), 'decode_head.loss': torch.tensor(1.),
               'distillation.logits.loss': torch.tensor(value)}
    message = rf'distillation.logits.loss is {value} at step 2, iteration 8'
    with pytest.raises(NonFiniteLossError, match=message):
        FiniteLossHook(2).after_train_iter(None, 7, outputs=outputs)


def test_it_comes_before_the_checkpoint():
    """A checkpoint of the same iteration would hold broken weights."""
    from mmengine.runner import get_priority

    from incseg.engine.hooks import SafeCheckpointHook
    assert get_priority(FiniteLossHook.priority) < get_priority(SafeCheckpointHook.priority)
