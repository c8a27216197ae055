"""Losses are logged, and stop a run that is not finite."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.runner import get_priority

from incseg.engine.hooks import LossLogHook, MethodHook, SafeCheckpointHook
from incseg.errors import NonFiniteLossError

NAN = float('nan')


@pytest.fixture
def runner():
    return SimpleNamespace(message_hub=MessageHub('test'), max_iters=9, hooks=[])


def logged(runner) -> list[float]:
    hub = runner.message_hub
    return list(hub.get_scalar('train/loss').data[0]) if 'train/loss' in hub.log_scalars else []


def test_on_a_cpu_every_iteration_is_read(runner):
    """If it fails, a diverged run goes on for a while although looking costs nothing."""
    hook = LossLogHook(0, [4])
    for i in range(3):
        hook.after_train_iter(runner, i, outputs=dict(loss=torch.tensor(float(i))))
        assert logged(runner) == list(range(i + 1))
    hook.after_train_iter(runner, 3, outputs=None)


class OnGPU(torch.Tensor):
    """A tensor that says it lies on a GPU."""

    @property
    def device(self):
        return torch.device('cuda')


def loss(value: float) -> torch.Tensor:
    return torch.tensor(value).as_subclass(OnGPU)


def test_on_a_gpu_only_when_due(runner):
    """If it fails, every iteration waits for the GPU, or losses are lost from the log."""
    hook = LossLogHook(0, [4, 6])
    lengths = []
    for i in range(9):
        hook.after_train_iter(runner, i, outputs=dict(loss=loss(float(i))))
        lengths.append(len(logged(runner)))
    assert lengths == [1, 1, 1, 4, 4, 6, 6, 8, 9], 'at the start, 4, 6, 8 and at the end'
    assert logged(runner) == list(range(9))


def test_a_late_reading_names_the_first_broken_iteration(runner):
    """If it fails, the message points at the iteration of the reading."""
    hook = LossLogHook(1, [4])
    for i in range(3):
        hook.after_train_iter(runner, i, outputs=dict(loss=loss(1.0 if i == 0 else float('nan'))))
    with pytest.raises(NonFiniteLossError, match='loss is nan at step 1, iteration 2'):
        hook.after_train_iter(runner, 3, outputs=dict(loss=loss(1.0)))


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int64])
@pytest.mark.parametrize('as_list', [False, True])
@pytest.mark.parametrize('label', [7, 254, -1])
def test_a_label_that_is_no_class(runner, dtype, as_list, label):
    """If it fails, a user with a wrong mask is told to lower the learning rate on a GPU."""
    if label < 0 and dtype is torch.uint8:
        pytest.skip('uint8 has no negative numbers')
    runner.model = SimpleNamespace(num_classes=7, named_buffers=dict)
    hook, good = LossLogHook(1, [4]), torch.tensor([[[0, 6], [255, 255]]], dtype=dtype)
    bad = good.clone()
    bad[0, 1, 0] = label
    for i, (labels, value) in enumerate([(good, 1.0), (bad, NAN), (good, NAN)]):
        batch = dict(labels=list(labels) if as_list else labels)
        hook.after_train_iter(runner, i, batch, dict(loss=loss(value)))
    message = (
        f'^loss is nan at step 1, iteration 2; training stopped: a label of its batch is {label}, '
        r'expected 0 to 6 or 255 \(void\)'
    )
    with pytest.raises(NonFiniteLossError, match=message):
        hook.after_train_iter(runner, 3, dict(labels=good), dict(loss=loss(NAN)))


@pytest.mark.parametrize('labels', [torch.tensor([[[0, 6]]]), torch.tensor([[[255]]]), None, []])
def test_labels_that_are_classes(runner, labels):
    """If it fails, a learning rate that is too high is taken for a wrong mask."""
    runner.model = SimpleNamespace(num_classes=7, named_buffers=dict)
    batch = dict(labels=labels)
    with pytest.raises(NonFiniteLossError, match='lower the learning rate'):
        LossLogHook(1, [4]).after_train_iter(runner, 0, batch, dict(loss=loss(NAN)))


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_names_the_part_the_step_and_the_iteration(runner, value):
    """The part that broke is named rather than the sum; iterations count from 1."""
    outputs = {
        'loss': torch.tensor(value),
        'decode_head.loss': torch.tensor(1.0),
        'distillation.logits.loss': torch.tensor(value),
    }
    message = rf'distillation.logits.loss is {value} at step 2, iteration 8'
    with pytest.raises(NonFiniteLossError, match=message):
        LossLogHook(2, [50]).after_train_iter(runner, 7, outputs=outputs)


class Penalty(MethodHook):
    """Adds a loss of its own."""

    value = torch.tensor(2.0)

    def losses(self):
        return dict(penalty=self.value)


def test_what_a_methods_hook_adds(runner):
    """If it fails, the penalty of EWC is invisible, or its divergence is blamed on another loss."""
    runner.hooks.append(Penalty('ewc'))
    hook = LossLogHook(1, [50])
    hook.after_train_iter(runner, 0, outputs=dict(loss=torch.tensor(1.0)))
    assert runner.message_hub.get_scalar('train/ewc.penalty').current() == 2
    Penalty.value = torch.tensor(float('inf'))
    with pytest.raises(NonFiniteLossError, match='ewc.penalty is inf at step 1, iteration 2'):
        hook.after_train_iter(runner, 1, outputs=dict(loss=torch.tensor(1.0)))


class Wrapper:
    """An optimiser's wrapper with a schedule that has lowered the rate."""

    amp = True
    param_groups = ({'initial_lr': 1e6, 'lr': 3.0},)


def test_what_to_change_is_named(runner):
    """If it fails, a user does not know which setting made the loss infinite."""
    runner.optim_wrapper = Wrapper
    hook = LossLogHook(1, [50], 'schedule.lr.added')
    outputs = {'distillation.logits.loss': torch.tensor(float('nan'))}
    with pytest.raises(NonFiniteLossError) as error:
        hook.after_train_iter(runner, 3, outputs=outputs)
    assert str(error.value) == (
        'distillation.logits.loss is nan at step 1, iteration 4; training stopped: lower '
        'schedule.lr.added (now 1e+06), or a smaller weight of method.distillation.logits, '
        'or --cfg-options schedule.amp=False'
    )
    with pytest.raises(NonFiniteLossError, match=r'or schedule.lr.base, if step 0 went astray'):
        hook.after_train_iter(runner, 0, outputs=outputs)
    with pytest.raises(NonFiniteLossError, match='lower the learning rate$'):
        runner.optim_wrapper = None
        LossLogHook(0, [5]).after_train_iter(runner, 0, outputs=dict(loss=torch.tensor(NAN)))


def test_statistics_of_norms_stop_the_run(runner):
    """If it fails, a run whose losses stay finite ends with a network that is not."""
    runner.model = torch.nn.Sequential(torch.nn.BatchNorm2d(2), torch.nn.BatchNorm2d(3))
    runner.optim_wrapper = Wrapper
    batch = dict(inputs=[torch.zeros(3, 1, 1), torch.zeros(3, 64, 64)])
    outputs, hook = dict(loss=torch.tensor(1.0)), LossLogHook(0, [50], 'schedule.lr.base')
    hook.after_train_iter(runner, 0, batch, outputs)
    runner.model[1].running_var[2] = float('inf')
    message = (
        r'^1.running_var is not finite at step 0, iteration 2; training stopped: lower '
        r'schedule.lr.base \(now 1e\+06\), or raise crop_size \(pictures of 1 x 1 leave'
    )
    with pytest.raises(NonFiniteLossError, match=message):
        hook.after_train_iter(runner, 1, batch, outputs)
    with pytest.raises(NonFiniteLossError) as error:
        hook.after_train_iter(runner, 1, dict(inputs=[torch.zeros(3, 64, 64)]), outputs)
    assert 'crop_size' not in str(error.value)


def test_it_comes_before_the_checkpoint():
    """A checkpoint of the same iteration would hold broken weights."""
    assert get_priority(LossLogHook.priority) < get_priority(SafeCheckpointHook.priority)
