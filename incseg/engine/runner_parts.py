"""What the Runners of all trainings and evaluations have in common."""
from collections.abc import Mapping
from itertools import count
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size

from incseg.engine.experiment import Experiment
from incseg.registry import SCOPE

_run_number = count()

#: torch's optimisers with a kernel for all parameters, on CUDA and on CPU
FUSED_OPTIMIZERS = ('SGD', 'Adam', 'AdamW')


def runner_config(experiment: Experiment, work_dir: str, name: str, **parts: Any) -> Config:
    """What every Runner of ours has in common."""
    distributed = get_world_size() > 1
    if distributed and not torch.cuda.is_available():
        parts['model_wrapper_cfg'] = dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    elif distributed:
        parts['sync_bn'] = 'torch'
    return Config(dict(
        default_scope=SCOPE, work_dir=work_dir, launcher='pytorch' if distributed else 'none',
        experiment_name=f'{name}_{next(_run_number)}',
        randomness=dict(seed=experiment.seed),
        env_cfg=dict(cudnn_benchmark='train_cfg' in parts,
                     tf32=experiment.tf32,
                     mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0)),
        log_processor=dict(by_epoch=False), **parts))


def training_hooks(schedule: Mapping[str, Any], step: int, work_dir: str) -> dict[str, Any]:
    """What every training logs and saves, at the intervals of its schedule."""
    log, save = schedule['log_interval'], schedule['checkpoint_interval']
    return dict(
        sampler_seed=None, logger=dict(type='LoggerHook', interval=log),
        runtime_info=dict(type='LossLogHook', step=step, intervals=[log, save]),
        checkpoint=dict(
            type='SafeCheckpointHook', path=f'{work_dir}/resume.pth', interval=save))


def optimizer_config(optimizer: dict, lr: float) -> dict:
    """The optimiser, in one pass over the parameters where torch has that; ``fused`` overrides."""
    other = optimizer.get('foreach') or optimizer.get('differentiable')  # torch takes one of them
    fused = dict(fused=True) if optimizer['type'] in FUSED_OPTIMIZERS and not other else {}
    return {**fused, **optimizer, 'lr': lr}
