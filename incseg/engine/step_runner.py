import logging
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.runner import Runner


class StepRunner(Runner):
    """mmengine's Runner with a quiet start.

    What mmengine prints while it is being built (environment, whole config,
    hooks) goes to the log file alone; the terminal shows the training.
    """

    def build_logger(
        self, log_level: Any = 'INFO', log_file: Any = None, **kwargs: Any
    ) -> MMLogger:
        logger = super().build_logger(log_level, log_file, **kwargs)
        self._console = [
            handler for handler in logger.handlers
            if type(handler) is logging.StreamHandler and handler.level < logging.ERROR]
        self._show(logging.WARNING)
        return logger

    def _show(self, level: int) -> None:
        for handler in self._console:
            handler.setLevel(level)

    def train(self) -> Any:
        self._show(logging.INFO)
        return super().train()

    def dump_config(self) -> None:
        """Nothing: the visualizer keeps the config beside the logs, the run keeps its own."""

    def setup_env(self, env_cfg: dict) -> None:
        """mmengine's, and ``tf32``: whether a GPU may round float32 products to 19 bits."""
        super().setup_env(env_cfg)
        allowed = bool(env_cfg.get('tf32', True))
        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed

    def use_dataset(self, dataset: Any) -> None:
        """Train on a data set that is built already, instead of building it from the config."""
        self._train_dataloader['dataset'] = dataset

    def close(self) -> None:
        """Let go of log files and of mmengine's global instances, one of each per Runner."""
        self.visualizer.close()
        for handler in self.logger.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.close()
        for kind in (type(self.logger), type(self.message_hub), type(self.visualizer)):
            kind._instance_dict.pop(self.experiment_name, None)
