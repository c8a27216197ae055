import pytest
import torch

from incseg.engine import train_protocol
from incseg.engine.hooks import SafeCheckpointHook
from incseg.registry import HOOKS


@HOOKS.register_module()
class KeepResumeFile(SafeCheckpointHook):
    """Copies what stands in resume.pth at the end of training, before it is removed."""

    def __init__(self, copy):
        super().__init__(copy, 1)
        self.copy = copy

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx + 1 == runner.max_iters:
            source = next(h for h in runner.hooks if type(h) is SafeCheckpointHook).path
            self.path.write_bytes(source.read_bytes())


@pytest.fixture
def saved(tiny, tmp_path):
    config = tiny(**{'protocol.name': 'offline'})
    config.custom_hooks = dict(keep=dict(type='KeepResumeFile', copy=str(tmp_path / 'copy.pth')))
    train_protocol(config, tmp_path / 'run', [0], reuse=False)
    return tmp_path / 'copy.pth'


def test_loads_without_trust(saved):
    """mmengine's own checkpoints need weights_only=False; ours must never."""
    assert torch.serialization.get_unsafe_globals_in_checkpoint(saved) == []
    content = torch.load(saved, weights_only=True)
    assert content['meta']['iter'] == 2, 'every second of four iterations, not after the last'
    assert set(content) == {'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers'}
    assert content['optimizer']['state'], 'momentum is kept'
    assert content['meta']['seconds'] > 0
