import time
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from incseg.datasets.rank_zero import on_rank_zero
from incseg.engine.checkpoint import plain, save_atomically
from incseg.registry import HOOKS


@HOOKS.register_module()
class SafeCheckpointHook(Hook):
    """Saves what is needed to go on with an interrupted step.

    One file, replaced at every interval by a rename, so there is always a
    whole one.  It holds tensors and plain data only and loads with
    ``weights_only=True`` (mmengine's own would carry its log history as
    pickled objects).

    Args:
        path: The file.
        interval: Iterations between two saves.

    Attributes:
        seconds: Time the step's training took so far, interruptions left out.
    """

    priority = 'VERY_LOW'

    def __init__(self, path: str, interval: int):
        self.path = Path(path)
        self.interval = interval
        self._before, self._started = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._started

    def before_train(self, runner: Any) -> None:
        self._started = time.monotonic()

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        self._before = float(checkpoint['meta'].get('seconds', 0.))
        # mmengine warns where it finds no copy of this; that the data are the
        # same is made sure of by comparing the runs' configs
        checkpoint['meta']['dataset_meta'] = getattr(
            runner.train_dataloader.dataset, 'metainfo', None)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        done = batch_idx + 1
        if done % self.interval == 0 and done < runner.max_iters:
            on_rank_zero(lambda: save_atomically(self.content(runner, done), self.path))

    def content(self, runner: Any, done: int) -> dict[str, Any]:
        """What mmengine's ``Runner.resume`` reads, in plain types."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        checkpoint = dict(
            meta=dict(epoch=0, iter=done, seed=runner.seed, seconds=self.seconds),
            state_dict={name: value.cpu() for name, value in model.state_dict().items()},
            message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
            optimizer=runner.optim_wrapper.state_dict(),
            param_schedulers=[scheduler.state_dict() for scheduler in runner.param_schedulers])
        runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        return plain(checkpoint)
