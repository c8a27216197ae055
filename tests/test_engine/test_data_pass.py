"""A pass over a step's data beside its training."""
import torch
from mmengine.hooks import Hook

from incseg.engine import train_protocol
from incseg.engine.data_pass import data_pass
from incseg.registry import HOOKS

PASSES: list = []


@HOOKS.register_module()
class PassHook(Hook):
    """Makes two passes before the first iteration, keeps what they gave."""

    def before_train(self, runner):
        for _ in range(2):
            PASSES.append([
                (batch['inputs'], [sample.image_id for sample in batch['data_samples']])
                for batch in data_pass(runner)])


def test_a_pass_is_one_epoch_and_repeats(tiny, tmp_path):
    """If it fails, what a method estimates beforehand changes when a step is resumed."""
    PASSES.clear()
    config = tiny('ft')
    config.custom_hooks = dict(passes=dict(type='PassHook'))
    train_protocol(config, tmp_path, steps=[0])
    first, second = PASSES
    ids = [name for _, names in first for name in names]
    assert len(ids) == len(set(ids)) == 32 // 8 * 8
    for (a, names), (b, again) in zip(first, second, strict=True):
        assert names == again
        assert torch.equal(a, b)
        assert a.dtype == torch.float32
        assert a.shape[1:] == (3, 32, 32)
