"""Hooks of every run: files to resume from, seeds, pictures."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData

from incseg.engine import train_protocol
from incseg.engine.hooks import IterationSeedHook, PaintHook, SafeCheckpointHook
from incseg.registry import HOOKS
from incseg.structures import SegDataSample


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


def draw(seed, iteration):
    IterationSeedHook(seed).before_train_iter(None, iteration)
    return torch.rand(3)


def test_randomness_is_a_function_of_the_iteration():
    """Dropout at iteration 5 is the same after a resume, and differs from iteration 6's."""
    first = draw(1, 5)
    torch.rand(100)
    assert torch.equal(draw(1, 5), first)
    assert not torch.equal(draw(1, 6), first)
    assert not torch.equal(draw(2, 5), first)


def test_pictures_of_two_images_are_two(tmp_path):
    """If it fails, the images `a/b` and `a_b` are painted to one file."""
    hook = PaintHook(tmp_path / 'shown', [[0, 0, 0]])
    dataset = SimpleNamespace(image_ids=['a/b', 'a_b'])
    hook.before_test(SimpleNamespace(test_dataloader=SimpleNamespace(dataset=dataset)))
    assert [path.name for path in hook.paths.values()] == ['a_b.png', 'a_b_000001.png']
    assert not (tmp_path / 'shown').exists()


def test_three_panels(tmp_path):
    """Image, truth, prediction, side by side at the label's own size, in the palette's colours."""
    sample = SegDataSample(metainfo=dict(image_id='a/b'))
    sample.gt_sem_seg = PixelData(data=torch.tensor([[[1, 255], [0, 0]]], dtype=torch.uint8))
    sample.pred_sem_seg = PixelData(data=torch.tensor([[[0, 1], [0, 0]]], dtype=torch.uint8))
    hook = PaintHook(tmp_path / 'shown', [[0, 0, 0], [200, 100, 0]])
    batch = dict(inputs=[torch.zeros(3, 4, 4, dtype=torch.uint8)])
    hook.after_test_iter(SimpleNamespace(), 0, batch, [sample])
    picture = cv2.imread(str(tmp_path / 'shown' / 'a_b.png'))
    colour = [0, 50, 100]  # half of [200, 100, 0], BGR
    expected = np.zeros((2, 6, 3), np.uint8)
    expected[0, 2] = expected[0, 5] = colour
    assert np.array_equal(picture, expected)
