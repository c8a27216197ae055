from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from incseg.registry import HOOKS


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seeds torch at every iteration, so dropout depends on the iteration alone.

    A resumed run then equals an uninterrupted one without any random state in
    the checkpoint.

    Args:
        seed: The run's seed.
    """

    priority = 'VERY_HIGH'

    def __init__(self, seed: int):
        self.seed = seed

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        state = np.random.SeedSequence((self.seed, get_rank(), batch_idx)).generate_state(1)
        torch.manual_seed(int(state[0]))
