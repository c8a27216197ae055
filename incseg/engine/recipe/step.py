"""Configs of the Runners that train and evaluate a step."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size

from incseg.datasets import StepBatchSampler
from incseg.engine.recipe.data import dataset_config, loader_config, test_config
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_config, network_config
from incseg.registry import HOOKS, PARAM_SCHEDULERS, SCOPE, part_of
from incseg.utils.precision import autocasts
from incseg.utils.rules import expected
from incseg.utils.signatures import arguments

#: the schedule where a config names none
POLY = dict(type='PolyLR', eta_min=0.0)


def config_for_step(
    experiment: Experiment,
    k: int,
    num_images: int,
    work_dir: str,
    *,
    num_replayed: int = 0,
    memory_batch: int = 0,
    previous: str | None = None,
    resume_from: str | None = None,
    dataset: Mapping[str, Any] | None = None,
) -> Config:
    """Return the config of the Runner that trains step ``k``.

    Args:
        experiment: The steps, classes and method of a config.
        k: Number of the step, from 0.
        num_images: How many images the step has, those of a memory not counted.
        work_dir: The step's folder.
        num_replayed: How many images of a memory are added.
        memory_batch: How many images of a batch are of the memory, if it has any; 0 to mix them.
        previous: The previous step's ``final.pth``; None at step 0.
        resume_from: A checkpoint of this step to go on from; None to start the step.
        dataset: Config of the step's images and labels; None for images with masks.

    Raises:
        InvalidInputError: The processes cannot share a batch equally.
    """
    config, schedule = experiment.config, experiment.config['schedule']
    batch = config['batch_size']
    world = get_world_size()
    if batch % world:
        raise expected('batch_size', batch, f'a multiple of the {world} processes')
    sampler = sampler_config(experiment, k, num_images, num_replayed, memory_batch)
    iters = sampler['num_iters']
    hooks: list[dict] = [dict(type='IterationSeedHook', seed=experiment.seed)]
    if k > 0:
        hooks.append(
            dict(
                type='IncrementalHook',
                previous=previous,
                classifier_init=dict(config['method']['classifier_init']),
            )
        )
    if schedule.get('compile'):
        hooks.append(dict(type='CompileHook'))
    hooks += method_hooks(config['method'], k, previous)
    hooks += [dict(hook) for hook in config['custom_hooks'].values() if hook is not None]
    lr = learning_rate(experiment, k)
    return runner_config(
        experiment,
        work_dir,
        f'step_{k}',
        model=model_config(experiment, k, init=resume_from is None),
        train_dataloader=loader_config(
            experiment,
            dataset_config(experiment, k, 'train') if dataset is None else dict(dataset),
            batch_size=batch // world,
            batch_sampler=sampler,
        ),
        train_cfg=dict(type='StepTrainLoop', max_iters=iters),
        optim_wrapper=dict(
            type='StepOptimWrapper',
            amp=autocasts(schedule['amp'], torch.device(get_device())),
            optimizer=optimizer_config(schedule['optimizer'], lr),
            **optimizer_parts(schedule, k),
        ),
        param_scheduler=[lr_schedule(experiment, k, iters)],
        default_hooks=training_hooks(schedule, k, work_dir),
        custom_hooks=hooks,
        load_from=resume_from,
        resume=resume_from is not None,
    )


def config_for_test(experiment: Experiment, k: int, work_dir: str) -> Config:
    """Return the config of the Runner that evaluates step ``k``'s network on all seen classes."""
    return runner_config(
        experiment,
        work_dir,
        f'test_{k}',
        model=network_config(experiment, k),
        test_dataloader=loader_config(experiment, test_config(experiment, k), batch_size=1),
        test_cfg=dict(type='TestLoop'),
        test_evaluator=metric_config(experiment, k),
        default_hooks=dict(
            sampler_seed=None, checkpoint=None, logger=dict(type='ProgressHook', interval=500)
        ),
    )


def metric_config(experiment: Experiment, k: int) -> dict[str, Any]:
    """Return the config of the metric of step ``k``: one matrix, or one for each source."""
    sources = experiment.sources
    if sources.one_home(k):
        return dict(type='ConfusionMetric')
    parts = sources.test_parts(k)
    homes = {name: number for number, part in enumerate(parts) for name in part.home_of}
    return dict(type='HomeMetric', annotates=[list(part.annotates) for part in parts], homes=homes)


def sampler_config(
    experiment: Experiment, k: int, num_images: int, num_replayed: int = 0, memory_batch: int = 0
) -> dict[str, Any]:
    """Return the config of the batch sampler of step ``k``, its number of iterations included.

    The arguments are those of :func:`config_for_step`.
    """
    batch = experiment.config['batch_size']
    memory_batch = memory_batch if num_replayed else 0
    in_an_epoch = num_images if memory_batch else num_images + num_replayed
    iters = StepBatchSampler.iters_per_epoch(in_an_epoch, batch - memory_batch)
    sampler = dict(
        type='StepBatchSampler',
        total_batch_size=batch,
        num_iters=experiment.epochs(k) * iters,
        seed=experiment.seed,
    )
    if memory_batch:
        sampler.update(type='ReplayBatchSampler', memory_batch=memory_batch)
    return sampler


def learning_rate(experiment: Experiment, k: int) -> float:
    """Return the learning rate with which step ``k`` begins."""
    rate: float = experiment.config['schedule']['lr']['base' if k == 0 else 'added']
    return rate


def lr_schedule(experiment: Experiment, k: int, iters: int) -> dict[str, Any]:
    """Return the config of the learning-rate schedule over the iterations of step ``k``.

    It is ``schedule.lr_schedule``; where the config names none, PolyLR, or HeldPolyLR in an
    added step with ``warmup_epochs``.

    Args:
        experiment: The steps, classes and method of a config.
        k: Number of the step, from 0.
        iters: Number of iterations of the step.
    """
    schedule = experiment.config['schedule']
    warmup = experiment.config.get('warmup_epochs', 0) if k > 0 else 0
    return schedule_config(
        schedule.get('lr_schedule') or (dict(type='HeldPolyLR') if warmup else POLY),
        iters,
        power=schedule['poly_power'],
        hold=warmup * iters // experiment.epochs(k),
    )


def schedule_config(choice: Mapping[str, Any], iters: int, **options: Any) -> dict[str, Any]:
    """Complete a config of a registered ``PARAM_SCHEDULERS`` type for one training.

    Arguments that the config leaves out are filled in where its class has them:
    ``begin=0``, ``end=iters + 1``, ``by_epoch=False``, ``num_iters=iters`` and
    the options.

    Args:
        choice: ``dict(type=…, …)``; it is not changed.
        iters: Number of iterations of the training.
        options: Further arguments: ``power``, and ``hold`` in iterations.

    Returns:
        The complete config.
    """
    known = arguments(part_of(choice['type'], PARAM_SCHEDULERS)) or set()
    filled = dict(begin=0, end=iters + 1, by_epoch=False, num_iters=iters, **options)
    return {**{key: value for key, value in filled.items() if key in known}, **choice}


def optimizer_parts(schedule: Mapping[str, Any], k: int) -> dict[str, Any]:
    """Return the entries of the optimiser's config that treat parts of the network differently.

    They come from ``schedule.lr_factors``, at step 0 from ``schedule.base_lr_factors`` and
    ``schedule.base_norm_decay``.  The result is empty if there are none.
    """
    factors = schedule.get('lr_factors' if k else 'base_lr_factors') or {}
    norm_decay = bool(k) or schedule.get('base_norm_decay') is not False
    if not factors and norm_decay:
        return {}
    parts = dict(lr_factors=factors, **({} if norm_decay else {'norm_decay': False}))
    return dict(constructor='PartwiseOptimConstructor', paramwise_cfg=parts)


def method_hooks(method: Mapping[str, Any], k: int, previous: str | None) -> list[dict[str, Any]]:
    """Return the configs of the method's hooks that take part in step ``k``.

    Args:
        method: The config's section ``method``; a hook that is None is left out.
        k: Number of the step, from 0.
        previous: The previous step's ``final.pth``, which every hook gets; None at step 0.
    """
    return [
        dict(hook, name=name, previous=previous)
        for name, hook in (method.get('hooks') or {}).items()
        if hook is not None and (k > 0 or part_of(hook['type'], HOOKS).in_base_step)
    ]


_run_number = count()

#: torch's optimisers with a kernel for all parameters, on CUDA and on CPU
FUSED_OPTIMIZERS = ('SGD', 'Adam', 'AdamW')


def runner_config(experiment: Experiment, work_dir: str, name: str, **parts: Any) -> Config:
    """Return the config of a Runner: the given parts, and the entries that all Runners share.

    Args:
        experiment: The steps, classes and method of a config.
        work_dir: The folder of the Runner.
        name: Name of the run, as ``'step_0'``; a number makes it unique in the process.
        parts: The other entries of the config.
    """
    distributed, on_gpu = get_world_size() > 1, torch.cuda.is_available()
    if distributed and not on_gpu:
        parts['model_wrapper_cfg'] = dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
        )
    sync = experiment.config['schedule'].get('sync_bn')
    if distributed and (on_gpu if sync is None else sync):
        parts['sync_bn'] = 'torch'
    return Config(
        dict(
            default_scope=SCOPE,
            work_dir=work_dir,
            launcher='pytorch' if distributed else 'none',
            experiment_name=f'{name}_{next(_run_number)}',
            randomness=dict(seed=experiment.seed),
            env_cfg=dict(
                cudnn_benchmark='train_cfg' in parts,
                tf32=experiment.tf32,
                deterministic=experiment.deterministic,
                mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
            ),
            log_processor=dict(by_epoch=False),
            **parts,
        )
    )


def training_hooks(schedule: Mapping[str, Any], step: int, work_dir: str) -> dict[str, Any]:
    """Return the configs of mmengine's default hooks, which log and save a training.

    Args:
        schedule: The section with ``log_interval`` and ``checkpoint_interval``, in iterations.
        step: Number of the step, for messages.
        work_dir: The folder of ``resume.pth``.
    """
    log, save = schedule['log_interval'], schedule['checkpoint_interval']
    rate = f'schedule.lr.{"added" if step else "base"}'
    if not isinstance(schedule['lr'], Mapping):
        rate = 'seam.schedule.lr'
    return dict(
        sampler_seed=None,
        logger=dict(type='ProgressHook', interval=log),
        runtime_info=dict(type='LossLogHook', step=step, intervals=[log, save], rate=rate),
        checkpoint=dict(type='SafeCheckpointHook', path=f'{work_dir}/resume.pth', interval=save),
    )


def optimizer_config(optimizer: dict, lr: float) -> dict:
    """Return the config of an optimiser with its learning rate.

    It is fused (one kernel for all parameters) where torch offers that; an entry ``fused`` of
    the config decides otherwise.

    Args:
        optimizer: The config, ``dict(type=…, …)``; it is not changed.
        lr: The learning rate.
    """
    other = optimizer.get('foreach') or optimizer.get('differentiable')  # torch takes one of them
    fused = dict(fused=True) if optimizer['type'] in FUSED_OPTIMIZERS and not other else {}
    return {**fused, **optimizer, 'lr': lr}
