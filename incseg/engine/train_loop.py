from typing import Any

from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from incseg.registry import LOOPS


@LOOPS.register_module()
class StepTrainLoop(BaseLoop):
    """The iterations of one incremental step.

    Unlike mmengine's loop it resumes at an iteration without decoding the
    batches before it: the batch sampler starts there.

    Args:
        runner: The Runner.
        dataloader: A loader whose batch sampler is a ``StepBatchSampler``, or
            its config.
        max_iters: Iterations of the step.
    """

    def __init__(self, runner: Any, dataloader: DataLoader | dict, max_iters: int):
        super().__init__(runner, dataloader)
        self.max_iters = max_iters
        self.max_epochs = 1  # read by mmengine's hooks
        self.stop_training = False
        self._epoch = 0
        self._iter = 0

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def iter(self) -> int:
        return self._iter

    def run(self) -> Any:
        """Train from the current iteration to the last."""
        call_hook = self.runner.call_hook
        call_hook('before_train')
        call_hook('before_train_epoch')
        self.dataloader.batch_sampler.set_start(self._iter)  # type: ignore[union-attr]
        self.runner.model.train()
        for batch in self.dataloader:
            call_hook('before_train_iter', batch_idx=self._iter, data_batch=batch)
            outputs = self.runner.model.train_step(
                batch, optim_wrapper=self.runner.optim_wrapper)
            call_hook(
                'after_train_iter', batch_idx=self._iter, data_batch=batch, outputs=outputs)
            self._iter += 1
            if self.stop_training:
                break
        call_hook('after_train_epoch')
        call_hook('after_train')
        return self.runner.model
