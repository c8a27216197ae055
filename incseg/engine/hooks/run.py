"""Hooks of every run: log of losses, checkpoints to resume from, seeds, compilation."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook, RuntimeInfoHook
from mmengine.model import is_model_wrapper
from torch import nn

from incseg.constants import VOID
from incseg.engine.checkpoint import plain, save_checkpoint
from incseg.engine.hooks.label_values import foreign_label, label_range
from incseg.engine.hooks.method import MethodHook
from incseg.errors import NonFiniteLossError
from incseg.registry import HOOKS
from incseg.utils.distributed import on_rank_zero

#: height or width of pictures below which a network's last stages have no two values for a norm
FEW_PIXELS = 32
#: graphs that torch keeps per function, and over all functions, when networks are compiled
GRAPH_LIMITS = dict(recompile_limit=1024, accumulated_recompile_limit=8192)


@HOOKS.register_module()
class LossLogHook(RuntimeInfoHook):
    """Log the losses, and stop the run when one of them is not finite.

    mmengine's hook reads every loss at every iteration, and each reading makes the
    CPU wait for the GPU.  This one keeps losses on the GPU and reads all of them at
    once at the intervals, and always before a checkpoint is written: ``--resume``
    continues from finite weights.  On a CPU it reads at every iteration.  The
    scalars of the method's hooks are logged with the losses.  The running statistics
    of norms are looked at too: they become infinite while losses are still finite.  A label
    that is no class makes a loss NaN on a GPU, so the range of the labels is kept with it.

    Args:
        step: The step, for the message.
        intervals: It reads after iterations that are a multiple of one of
            these, and after the first and the last one.
        rate: The setting with the learning rate, for the message.

    Raises:
        NonFiniteLossError: Naming the loss or statistic, the iteration, and what to change.
    """

    priority = 'VERY_HIGH'

    def __init__(self, step: int, intervals: Sequence[int], rate: str = 'the learning rate'):
        self.step, self.rate = step, rate
        self.intervals = tuple(intervals)
        self._first = 1
        self._pending: list[tuple[int, dict[str, torch.Tensor], tuple[int, int] | None]] = []

    def before_train(self, runner: Any) -> None:
        super().before_train(runner)
        self._first = runner.iter + 1

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        done = batch_idx + 1
        losses = {
            name: value.detach()
            for name, value in (outputs or {}).items()
            if isinstance(value, torch.Tensor)
        }
        for hook in runner.hooks:
            if isinstance(hook, MethodHook):
                losses |= {f'{hook.name}.{key}': value for key, value in hook.losses().items()}
        on_cpu = all(value.device.type == 'cpu' for value in losses.values())
        if losses:
            self._pending.append((done, losses, None if on_cpu else label_range(data_batch)))
        due = done in (self._first, runner.max_iters) or any(
            done % every == 0 for every in self.intervals
        )
        if on_cpu or due:
            self._read(runner)
            self._check_statistics(runner, done, data_batch)

    def _read(self, runner: Any) -> None:
        pending, self._pending = self._pending, []
        values = iter(
            torch.stack(
                [value.float() for _, losses, _ in pending for value in losses.values()]
            ).tolist()
            if pending
            else []
        )
        for done, losses, labels in pending:
            read = {name: next(values) for name in losses}
            self._check(runner, done, read, labels)
            for name, value in read.items():
                runner.message_hub.update_scalar(f'train/{name}', value)

    def _check(
        self, runner: Any, done: int, losses: dict[str, float], labels: tuple[int, int] | None
    ) -> None:
        broken = {name: value for name, value in losses.items() if not abs(value) < float('inf')}
        if not broken:
            return
        name = min(broken, key=lambda key: key == 'loss')  # a part rather than the sum
        model = getattr(runner, 'model', None)
        classes = getattr(getattr(model, 'module', model), 'num_classes', VOID)
        label = foreign_label(labels, classes)
        if label is not None:
            raise NonFiniteLossError(
                f'{name} is {broken[name]} at step {self.step}, iteration {done}; training '
                f'stopped: a label of its batch is {label}, expected 0 to {classes - 1} or {VOID} '
                '(void): check the masks, and transforms of your own'
            )
        kind, _, part = name.rpartition('.')[0].partition('.')
        weighted = kind == 'distillation' or kind in {getattr(h, 'name', '') for h in runner.hooks}
        own = f'method.{kind}.{part}' if part else f'method.hooks.{kind}'
        more = [f'or a smaller weight of {own}'] if weighted else []
        raise self._stopped(runner, f'{name} is {broken[name]}', done, more)

    def _check_statistics(self, runner: Any, done: int, batch: Any) -> None:
        """Refuse norms whose running statistics are not finite.

        Args:
            runner: The Runner; without a model there is nothing to check.
            done: Number of finished iterations.
            batch: The batch, whose pictures may be too small.
        """
        model = getattr(runner, 'model', None)
        buffers = {} if model is None else dict(model.named_buffers())
        buffers = {name: value for name, value in buffers.items() if value.is_floating_point()}
        if not buffers or bool(torch.cat([b.flatten() for b in buffers.values()]).isfinite().all()):
            return
        name = next(name for name, value in buffers.items() if not bool(value.isfinite().all()))
        sizes = [tuple(image.shape[-2:]) for image in (batch or {}).get('inputs', ())]
        small = min(sizes, key=min, default=None)
        more = []
        if small and min(small) < FEW_PIXELS:
            more = [f'or raise crop_size (pictures of {small[0]} x {small[1]} leave norms nothing)']
        raise self._stopped(runner, f'{name.removeprefix("module.")} is not finite', done, more)

    def _stopped(self, runner: Any, what: str, done: int, more: list[str]) -> NonFiniteLossError:
        """Return the error that says what is not finite, and what to change."""
        wrapper = getattr(runner, 'optim_wrapper', None)
        group = wrapper.param_groups[0] if wrapper is not None else {}
        rate = group.get('initial_lr', group.get('lr'))
        advice = [f'lower {self.rate}' + ('' if rate is None else f' (now {rate:g})'), *more]
        if self.step and done <= 1:  # no update was made yet, or one
            advice.append(
                f'or schedule.lr.{"base" if self.step == 1 else "added"}, if step {self.step - 1} '
                'went astray (look at its scores)'
            )
        if getattr(wrapper, 'amp', False):
            advice.append('or --cfg-options schedule.amp=False')
        return NonFiniteLossError(
            f'{what} at step {self.step}, iteration {done}; training stopped: {", ".join(advice)}'
        )


@HOOKS.register_module()
class SafeCheckpointHook(Hook):
    """Save the state that an interrupted step continues from.

    The state is one file, replaced at every interval by a rename, so that it is
    always complete.  It holds only tensors and plain data and loads with
    ``weights_only=True``; mmengine's own file pickles the history of its log.

    Args:
        path: The file.
        interval: Iterations between two saves.

    Attributes:
        seconds: Training time of the step so far, without interruptions.
    """

    priority = 'VERY_LOW'

    def __init__(self, path: str, interval: int):
        self.path = Path(path)
        self.interval = interval
        self._before, self._started = 0.0, time.monotonic()
        self._source: str | None = None

    @property
    def record(self) -> dict[str, Any]:
        """What files say of the training: ``seconds``, and ``weights_source`` if it has one.

        The source is where the backbone had its pretrained weights from, also before an
        interruption.
        """
        source = {} if self._source is None else dict(weights_source=self._source)
        return dict(seconds=self.seconds, **source)

    @property
    def seconds(self) -> float:
        """Seconds that the step's training took so far."""
        return self._before + time.monotonic() - self._started

    def before_train(self, runner: Any) -> None:
        self._started = time.monotonic()
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        backbone = getattr(model, 'backbone', None)
        self._source = getattr(backbone, 'weights_source', None) or self._source

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        self._before = float(checkpoint['meta'].get('seconds', 0.0))
        self._source = checkpoint['meta'].get('weights_source')
        # mmengine warns where it finds no copy of this; that the data are the
        # same is checked by comparing the configs of the runs
        checkpoint['meta']['dataset_meta'] = getattr(
            runner.train_dataloader.dataset, 'metainfo', None
        )

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        done = batch_idx + 1
        if done % self.interval == 0 and done < runner.max_iters:
            on_rank_zero(lambda: save_checkpoint(self.content(runner, done), self.path, 'resume'))

    def content(self, runner: Any, done: int) -> dict[str, Any]:
        """Return the content of the file in plain types, as mmengine's ``Runner.resume`` reads it.

        Args:
            runner: The Runner.
            done: Number of finished iterations.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        checkpoint = dict(
            meta=dict(epoch=0, iter=done, seed=runner.seed, **self.record),
            state_dict={name: value.cpu() for name, value in model.state_dict().items()},
            message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
            optimizer=runner.optim_wrapper.state_dict(),
            param_schedulers=[scheduler.state_dict() for scheduler in runner.param_schedulers],
        )
        runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        return plain(checkpoint)


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed torch at every iteration, alike in all processes: dropout depends on nothing else.

    A resumed run then equals an uninterrupted one without any random state in
    the checkpoint.

    Args:
        seed: The run's seed.
    """

    priority = 'VERY_HIGH'

    def __init__(self, seed: int):
        self.seed = seed

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        state = np.random.SeedSequence((self.seed, 0, batch_idx)).generate_state(1)
        torch.manual_seed(int(state[0]))


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile the networks, student and teacher, before the first iteration.

    Only backbone and heads are compiled: mmengine's ``cfg.compile`` takes the whole
    training step and breaks its graph at the optimiser.  Parameter names do not
    change.  The forward pass that also returns a backbone's stages (PLOP) is
    compiled too; a labeller that is trained with the network is not.  Compilation
    pays on a GPU with a fixed crop; on a CPU it costs a minute and gains nothing.
    torch keeps eight graphs per function unless told otherwise; heads, whose output grows,
    need more after two steps and would then run uncompiled.  The hook raises torch's limits
    for the process.

    Args:
        options: Arguments of :func:`torch.compile`.
    """

    priority = 'NORMAL'  # after the teacher was built

    def __init__(self, **options: Any):
        self.options = options

    def before_train(self, runner: Any) -> None:
        from torch._dynamo import config as dynamo_config  # slow to import, and rarely needed

        for name, least in GRAPH_LIMITS.items():
            setattr(dynamo_config, name, max(getattr(dynamo_config, name), least))
        student = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for network in (student, getattr(student, 'teacher', None)):
            if network is not None:
                for part in (network.backbone, *network.heads.values()):
                    compile_in_place(part, self.options)


def compile_in_place(module: nn.Module, options: dict[str, Any]) -> None:
    """Call ``module.compile()`` with the options, unless the module is compiled already."""
    if module._compiled_call_impl is None:
        module.compile(**options)
