"""What the Runner of one step is built from."""
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size

from incseg.datasets import StepBatchSampler
from incseg.engine.annotation import image_labels, is_weak, labels_loader
from incseg.engine.bfloat16 import autocasts
from incseg.engine.experiment import Experiment
from incseg.engine.replay_memory import ReplayMemory
from incseg.engine.resolve import resolve
from incseg.engine.training_set import training_set
from incseg.errors import InvalidInputError
from incseg.registry import HOOKS, MODELS, SCOPE

_run_number = count()

#: torch's optimisers with a kernel for all parameters, on CUDA and on CPU
FUSED_OPTIMIZERS = ('SGD', 'Adam', 'AdamW')
#: what a method adds to the network for its training
METHOD_PARTS = ('distillation', 'target_labeller', 'frozen')


def pipeline(transforms: Mapping[str, Any], image_scale: float, labels_follow: bool,
             labels_loader: Mapping[str, Any] | None = None) -> list[dict]:
    """Named transforms (None: left out) between loading and packing.

    Args:
        transforms: Configs by name, in order.
        image_scale: Factor on every image before anything else.
        labels_follow: Whether the labels are scaled with it (training) or
            stay at their own resolution (test).
        labels_loader: Config of the transform that loads labels, masks by default.
    """
    steps: list[dict] = [
        dict(type='LoadImage'), dict(labels_loader or dict(type='LoadLabels'))]
    if image_scale != 1:
        steps.append(dict(
            type='Resize', scale_factor=image_scale, resize_labels=labels_follow))
    steps += [dict(transform) for transform in transforms.values() if transform is not None]
    return [*steps, dict(type='PackSegInputs')]


def without_labels(steps: list[dict]) -> list[dict]:
    """A pipeline that loads no label maps."""
    return [step for step in steps if step['type'] != 'LoadLabels']


def model_config(experiment: Experiment, k: int, init: bool = False) -> dict[str, Any]:
    """The network of step ``k`` with its losses.

    Args:
        experiment: The experiment.
        k: The step.
        init: Whether pretrained weights may be loaded; they matter for step 0
            alone, later steps start from the one before.
    """
    config, method = experiment.config, experiment.config['method']
    settings = {**config, 'pretrained': bool(config['pretrained']) and init and k == 0}
    model = resolve(config['model'], settings)
    loss = dict(method['loss_decode'])
    if k == 0:  # without old classes some losses are another, simpler one
        loss['type'] = vars(MODELS.get(loss['type'])).get('base_step_type', loss['type'])
    heads = [model['decode_head'], *(model.get('auxiliary_head') or {}).values()]
    for head in heads:
        if head is not None:
            head.setdefault('loss_decode', loss)
    model['outputs_per_step'] = list(experiment.training.outputs_per_step(k))
    if k > 0:
        model['distillation'] = dict(method.get('distillation') or {})
        if method.get('target_labeller'):
            model['target_labeller'] = resolve(method['target_labeller'], settings)
        if method.get('frozen'):
            model['frozen'] = method['frozen']
    return model


def network_config(experiment: Experiment, k: int) -> dict[str, Any]:
    """The network of step ``k`` as it is saved, without what its training adds."""
    return {key: value for key, value in model_config(experiment, k).items()
            if key not in METHOD_PARTS}


def dataset_config(
    experiment: Experiment, k: int, mode: str, previous: str | Path | None = None
) -> dict[str, Any]:
    """The data of step ``k``: ``mode`` is ``'train'`` or ``'test'``.

    A method with ``image_labels`` trains steps after the first on these alone.
    ``previous`` is the ``final.pth`` of the step before, on which the place of
    pseudo-labels may depend.
    """
    config, method = experiment.config, experiment.config['method']
    data = resolve(config['data'], config)
    if mode == 'train':
        transforms = data['train_pipeline']
    elif config['eval_mode'] in data['test_pipelines']:
        transforms = data['test_pipelines'][config['eval_mode']]
    else:
        raise InvalidInputError(
            f"eval_mode is {config['eval_mode']!r}, allowed: {sorted(data['test_pipelines'])}")
    weak = mode == 'train' and is_weak(experiment, k)
    if mode == 'train' and k > 0 and method.get('image_labels'):
        return dict(
            type='WeakDataset', dataset=training_set(experiment),
            protocol=experiment.protocol_args(), step=k, scope='step',
            image_labels=resolve(method['image_labels'], config),
            negatives=resolve(method.get('negatives'), config),
            pipeline=without_labels(pipeline(transforms, config['image_scale'], True)))
    return dict(
        type='IncrementalDataset',
        dataset=training_set(experiment) if mode == 'train' else data['test'],
        protocol=experiment.protocol_args(), step=k, mode=mode,
        pipeline=pipeline(transforms, config['image_scale'], mode == 'train',
                          labels_loader(experiment, k, previous) if weak else None),
        all_images=experiment.joint, void_as_background=data.get('void_as_background', False),
        image_labels=image_labels(experiment) if weak else None)


def loader_config(experiment: Experiment, dataset: Any, **kwargs: Any) -> dict[str, Any]:
    """A DataLoader's config; the number of workers does not change results."""
    workers = experiment.config['num_workers']
    return dict(
        dataset=dataset, num_workers=workers, persistent_workers=workers > 0,
        pin_memory=experiment.config['schedule'].get('pin_memory', True)
        and torch.cuda.is_available(), collate_fn=dict(type='incseg.collate_samples'),
        sampler=dict(type='DefaultSampler', shuffle=False, round_up=False), **kwargs)


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
                     tf32=experiment.config['schedule'].get('tf32', True),
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


def optimizer_parts(schedule: Mapping[str, Any], k: int) -> dict[str, Any]:
    """How parameters are grouped: by the learning rate's factors, in added steps."""
    if k == 0 or not schedule.get('lr_factors'):
        return {}
    return dict(constructor='PartOptim', paramwise_cfg=dict(lr_factors=schedule['lr_factors']))


def lr_schedule(experiment: Experiment, k: int, iters: int) -> dict[str, Any]:
    """The learning rate over the iterations of step ``k``."""
    config, power = experiment.config, experiment.config['schedule']['poly_power']
    warmup = config.get('warmup_epochs', 0) if k > 0 else 0
    if warmup:
        return dict(type='HeldPolyLR', num_iters=iters, power=power, by_epoch=False,
                    hold=warmup * iters // experiment.epochs(k))
    return dict(type='PolyLR', power=power, eta_min=0., begin=0, end=iters + 1, by_epoch=False)


def method_hooks(method: Mapping[str, Any], k: int, previous: str | None) -> list[dict[str, Any]]:
    """The method's hooks at step ``k``, each told its name and the previous step's file."""
    return [
        dict(hook, name=name, previous=previous)
        for name, hook in (method.get('hooks') or {}).items()
        if hook is not None and (k > 0 or HOOKS.get(hook['type']).in_base_step)]


def sampler_config(
    experiment: Experiment, k: int, num_images: int, num_replayed: int
) -> dict[str, Any]:
    """The batches of step ``k``, see :func:`config_for_step`."""
    batch, per_batch = experiment.config['batch_size'], 0
    if num_replayed:
        memory = ReplayMemory(experiment.config['method']['memory'], experiment.seed)
        per_batch = memory.exemplars_per_batch(batch)
    in_an_epoch = num_images if per_batch else num_images + num_replayed
    iters = StepBatchSampler.iters_per_epoch(in_an_epoch, batch - per_batch)
    sampler = dict(type='StepBatchSampler', total_batch_size=batch,
                   num_iters=experiment.epochs(k) * iters, seed=experiment.seed)
    if per_batch:
        sampler.update(type='ReplayBatchSampler', memory_batch=per_batch)
    return sampler


def config_for_step(
    experiment: Experiment, k: int, num_images: int, work_dir: str, *, num_replayed: int = 0,
    previous: str | None = None, resume_from: str | None = None,
) -> Config:
    """The config of the Runner that trains step ``k``.

    Args:
        experiment: The experiment.
        k: The step.
        num_images: How many images the step has.
        work_dir: The step's folder.
        num_replayed: How many images of a memory it is trained on besides.
        previous: The previous step's ``final.pth``; None at step 0.
        resume_from: A checkpoint of this step to go on from.
    """
    config, schedule = experiment.config, experiment.config['schedule']
    batch = config['batch_size']
    world = get_world_size()
    if batch % world:
        raise InvalidInputError(
            f'batch_size is {batch}, which {world} processes cannot share equally')
    sampler = sampler_config(experiment, k, num_images, num_replayed)
    iters = sampler['num_iters']
    hooks: list[dict] = [dict(type='IterationSeedHook', seed=experiment.seed)]
    if k > 0:
        hooks.append(dict(
            type='IncrementalHook', previous=previous,
            classifier_init=dict(config['method']['classifier_init'])))
    if schedule.get('compile'):
        hooks.append(dict(type='CompileHook'))
    hooks += method_hooks(config['method'], k, previous)
    hooks += [dict(hook) for hook in config['custom_hooks'].values() if hook is not None]
    lr = schedule['lr']['base' if k == 0 else 'added']
    return runner_config(
        experiment, work_dir, f'step_{k}',
        model=model_config(experiment, k, init=resume_from is None),
        train_dataloader=loader_config(
            experiment, dataset_config(experiment, k, 'train', previous), batch_size=batch // world,
            batch_sampler=sampler),
        train_cfg=dict(type='StepTrainLoop', max_iters=iters),
        optim_wrapper=dict(
            type='StepOptimWrapper', amp=autocasts(schedule['amp'], torch.device(get_device())),
            optimizer=optimizer_config(schedule['optimizer'], lr), **optimizer_parts(schedule, k)),
        param_scheduler=[lr_schedule(experiment, k, iters)],
        default_hooks=training_hooks(schedule, k, work_dir),
        custom_hooks=hooks, load_from=resume_from, resume=resume_from is not None)


def config_for_test(experiment: Experiment, k: int, work_dir: str) -> Config:
    """The config of the Runner that evaluates step ``k`` on all its seen classes."""
    return runner_config(
        experiment, work_dir, f'test_{k}', model=network_config(experiment, k),
        test_dataloader=loader_config(
            experiment, dataset_config(experiment, k, 'test'), batch_size=1),
        test_cfg=dict(type='TestLoop'), test_evaluator=dict(type='ConfusionMetric'),
        default_hooks=dict(
            sampler_seed=None, checkpoint=None, logger=dict(type='LoggerHook', interval=500)))
