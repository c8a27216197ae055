"""mmengine's Runner and training loop for one step."""

import logging
import sys
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from incseg.engine.checkpoint import read_resume_checkpoint
from incseg.errors import InvalidInputError
from incseg.models.across_processes import (
    norms_of_each_process,
    share_batch_norm,
    share_dropout,
    sync_batch_norm,
)
from incseg.registry import LOOPS
from incseg.utils.precision import arithmetic_of, gpu_arithmetic


class StepRunner(Runner):
    """mmengine's Runner with a quiet start.

    mmengine's output while the Runner is built (environment, config, hooks) goes
    only to the log file; the terminal shows the training.
    """

    def build_logger(
        self, log_level: Any = 'INFO', log_file: Any = None, **kwargs: Any
    ) -> MMLogger:
        logger = super().build_logger(log_level, log_file, **kwargs)
        self._console = [
            handler
            for handler in logger.handlers
            if type(handler) is logging.StreamHandler and handler.level < logging.ERROR
        ]
        self._show(logging.WARNING)
        return logger

    def _show(self, level: int) -> None:
        for handler in self._console:
            handler.setLevel(level)

    def train(self) -> Any:
        """Train to the end, with the settings of torch that the config names.

        Raises:
            InvalidInputError: With ``deterministic`` a part has no deterministic form on a GPU, or
                torch cannot compile the networks, as without a C++ compiler.
        """
        self._show(logging.INFO)
        if self.distributed and norms_of_each_process(self.model.train()):
            self.logger.info(
                f'{self.world_size} processes: BatchNorm uses the batch of each, so results '
                'depend on their number; schedule.sync_bn=True uses the batch of all'
            )
        if remark := self.cfg.get('remark'):
            self.logger.info(remark)
        try:
            with gpu_arithmetic(**self._arithmetic):
                return super().train()
        except RuntimeError as error:
            if not is_of_compilation(error):
                raise
            lines = [line for line in str(error).splitlines() if line and not line.endswith(':')]
            said = (lines or [type(error).__name__])[0]  # the first may be "backend=… raised:"
            raise InvalidInputError(
                f'schedule.compile is on, but torch cannot compile a network here ({said}): it '
                'needs a C++ compiler (g++ on PATH, or the one that CXX names) and on a GPU a C '
                'compiler; or leave the setting out'
            ) from error
        finally:
            self._end_lines()

    def test(self) -> Any:
        """Evaluate on the test images, and return the metrics by name."""
        try:
            return super().test()
        finally:
            self._end_lines()

    def _end_lines(self) -> None:
        """End the live lines of hooks, which an error would leave on the terminal."""
        for hook in self.hooks:
            if end := getattr(hook, 'end_line', None):
                end()

    def wrap_model(self, model_wrapper_cfg: dict | None, model: Any) -> Any:
        """Wrap the model for several processes; its dropout then does not depend on their number.

        Args:
            model_wrapper_cfg: See mmengine's Runner.
            model: The network; its dropout layers are replaced, if the config has ``sync_bn`` its
                BatchNorms, and on a CPU its SyncBatchNorms.
        """
        if not self.distributed or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        model = share_dropout(model)
        every = self.cfg.pop('sync_bn', None)  # mmengine's conversion loses activations in norms
        if not torch.cuda.is_available():  # torch's own needs GPUs
            model = share_batch_norm(model, _BatchNorm if every else nn.SyncBatchNorm)
        elif every:
            model = sync_batch_norm(model)
        return super().wrap_model(model_wrapper_cfg, model)

    def dump_config(self) -> None:
        """Do nothing: the visualizer and the run store the config already."""

    def setup_env(self, env_cfg: dict) -> None:
        """Set up the environment; torch's settings for a GPU hold only while :meth:`train` runs.

        Args:
            env_cfg: mmengine's settings, and those of :func:`arithmetic_of`.
        """
        super().setup_env({**env_cfg, 'cudnn_benchmark': False})
        self._arithmetic = arithmetic_of(env_cfg)

    def load_checkpoint(self, filename: str, map_location: Any = 'cpu', **kwargs: Any) -> Any:
        """Load the verified state of an interrupted training; mmengine would read any file."""
        if not self._resume:  # a user's own hook loads a foreign file
            return super().load_checkpoint(filename, map_location, **kwargs)
        content = read_resume_checkpoint(filename, map_location)
        self.call_hook('after_load_checkpoint', checkpoint=content)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        self._has_loaded = True
        return _load_checkpoint_to_model(model, content)

    def use_dataset(self, dataset: Any) -> None:
        """Train on a data set that is built already, instead of the one in the config."""
        self._train_dataloader['dataset'] = dataset

    def close(self) -> None:
        """Close the log files, and remove this Runner's logger, message hub and visualizer.

        mmengine keeps one of each per Runner in global tables.
        """
        self.visualizer.close()
        for handler in self.logger.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.close()
        for kind in (type(self.logger), type(self.message_hub), type(self.visualizer)):
            kind._instance_dict.pop(self.experiment_name, None)


def is_of_compilation(error: Exception) -> bool:
    """Say whether an error comes from torch's compilation of a network, not from the network."""
    errors = sys.modules.get('torch._dynamo.exc')  # slow to import, and loaded where it can occur
    return errors is not None and isinstance(error, errors.BackendCompilerFailed)


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
        """Always 0: a step is one run over its iterations."""
        return self._epoch

    @property
    def iter(self) -> int:
        """Number of finished iterations."""
        return self._iter

    def run(self) -> Any:
        """Train from the current iteration to the last, and return the model."""
        call_hook = self.runner.call_hook
        call_hook('before_train')
        call_hook('before_train_epoch')
        self.dataloader.batch_sampler.set_start(self._iter)  # type: ignore[union-attr]
        self.runner.model.train()
        for batch in self.dataloader:
            call_hook('before_train_iter', batch_idx=self._iter, data_batch=batch)
            outputs = self.runner.model.train_step(batch, optim_wrapper=self.runner.optim_wrapper)
            call_hook('after_train_iter', batch_idx=self._iter, data_batch=batch, outputs=outputs)
            self._iter += 1
            if self.stop_training:
                break
        call_hook('after_train_epoch')
        call_hook('after_train')
        return self.runner.model
