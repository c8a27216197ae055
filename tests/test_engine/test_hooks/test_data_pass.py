"""A pass over a step's data beside its training."""

import pytest
import torch
from mmengine.hooks import Hook

from incseg.engine import train_protocol
from incseg.engine.hooks.data_pass import data_pass, teacher_pass
from incseg.registry import HOOKS

PASSES: list = []


@HOOKS.register_module()
class PassHook(Hook):
    """Makes two passes before the first iteration, keeps what they gave."""

    def before_train(self, runner):
        for _ in range(2):
            PASSES.append(
                [
                    (batch['inputs'], [sample.image_id for sample in batch['data_samples']])
                    for batch in data_pass(runner)
                ]
            )


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


@HOOKS.register_module()
class TeacherPassHook(Hook):
    """Compares a pass through the teacher with the teacher itself, under autocast."""

    priority = 'LOW'  # after the teacher was set
    compared = 0

    def before_train(self, runner):
        teacher = runner.model.teacher
        if teacher is None:  # the base step
            return
        for batch, (labels, outputs) in zip(data_pass(runner), teacher_pass(runner), strict=True):
            for sample, label in zip(batch['data_samples'], labels, strict=True):
                assert torch.equal(sample.gt_sem_seg.data[0], label)
            with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
                expected = teacher.extract(batch['inputs']).logits['decode_head']
            assert expected.dtype == torch.float32, 'of features in bfloat16'
            assert torch.equal(outputs.logits['decode_head'], expected)
            type(self).compared += 1


def test_a_pass_through_the_teacher(tiny, tmp_path):
    """If it fails, thresholds are estimated from other outputs than those they are applied to."""
    config = tiny('plop', **{'schedule.amp': True})
    config.custom_hooks = dict(passes=dict(type='TeacherPassHook'))
    train_protocol(config, tmp_path, steps=[0, 1])
    assert TeacherPassHook.compared > 0


@HOOKS.register_module()
class ThresholdHook(Hook):
    """Keeps what a pass through the teacher sees, and the labeller's thresholds after its own."""

    priority = 'LOW'  # after the labeller was prepared
    seen: list = []

    def before_train(self, runner):
        if runner.model.teacher is not None:
            labels = torch.cat([labels for labels, _ in teacher_pass(runner)])
            own = len(getattr(runner.train_dataloader.dataset, 'dataset', ()))
            self.seen.append((labels, runner.model.target_labeller.thresholds, own))


@pytest.mark.parametrize('share', [None, 0.5])
def test_a_memory_is_no_part_of_the_teachers_pass(share, tiny, tmp_path):
    """The same images, labels and thresholds as without a memory.

    If it fails, medians count exemplars, whose labels are never replaced.
    """
    ThresholdHook.seen = []
    for name, memory in (('plain', None), ('memory', dict(size=12, batch_share=share))):
        config = tiny('plop', **{'protocol.name': '5-1', 'method.memory': memory})
        config.custom_hooks = dict(passes=dict(type='ThresholdHook'))
        train_protocol(config, tmp_path / name)
    (labels, thresholds, _), (with_memory, others, own) = ThresholdHook.seen
    assert len(with_memory) == own // 8 * 8
    assert set(with_memory.unique().tolist()) <= {0, 6, 255}
    assert torch.equal(labels, with_memory)
    assert torch.equal(thresholds, others)
