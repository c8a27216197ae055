"""Passes over the data of a step, apart from its training."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.model import is_model_wrapper
from torch import Tensor

from incseg.datasets import ReplayDataset
from incseg.engine.checkpoint import FilePath, StepCheckpoint, load_weights
from incseg.engine.hooks.importance import fisher_average
from incseg.engine.recipe.data import LOAD_MASKS
from incseg.engine.recipe.network import teacher_config
from incseg.engine.recipe.step_sources import StepSources
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, MODELS
from incseg.structures import NetworkOutputs


def data_pass(runner: Any, dataset: Any = None) -> Iterator[dict[str, Any]]:
    """Yield one epoch of batches, apart from the training; each process gets its share.

    Batch size, augmentation and seed are those of the training's first epoch, so
    the pass depends only on the config and not on the time of the call.

    Args:
        runner: The Runner of the step.
        dataset: An ``IncrementalDataset``; None for the one of the training.

    Yields:
        The output of the model's preprocessor: ``inputs`` float32
        ``(N, 3, H, W)`` and ``labels`` uint8 ``(N, H, W)`` of train ids on the
        model's device, and ``data_samples``.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    settings = dict(runner.cfg.train_dataloader.to_dict())
    settings['dataset'] = runner.train_dataloader.dataset if dataset is None else dataset
    settings['persistent_workers'] = False
    settings['batch_sampler'] = dict(settings['batch_sampler'], num_iters=None, epochs=1)
    for batch in runner.build_dataloader(settings):
        yield model.data_preprocessor(batch, True)


def step_images(runner: Any) -> Any:
    """Return the data set of the step's own images, without the exemplars of a memory."""
    trained = runner.train_dataloader.dataset
    return trained.dataset if isinstance(trained, ReplayDataset) else trained


def teacher_pass(runner: Any) -> Iterator[tuple[Tensor, NetworkOutputs]]:
    """Yield one epoch of the step's own images as labels and outputs of the teacher.

    It is a :func:`data_pass` under the training's autocast.  Exemplars of a memory are left
    out: a labeller does not replace their labels.

    Args:
        runner: The Runner of the step.

    Yields:
        Labels ``(N, H, W)`` of train ids, and the teacher's outputs.
    """
    student = runner.model.module if is_model_wrapper(runner.model) else runner.model
    for batch in data_pass(runner, step_images(runner)):
        with runner.optim_wrapper.optim_context(runner.model):
            outputs = student.run_teacher(batch['inputs'])
        yield batch['labels'], outputs


def fisher_pass(
    runner: Any, previous: FilePath, alpha: float, sources: StepSources | None = None
) -> dict[str, Tensor]:
    """Estimate the previous step's Fisher information from one epoch of its data.

    It serves a step that was trained without this estimate.  The network of that
    step is in eval mode and does not change.  So there is no dropout and no batch
    statistics, and the result depends only on config and weights; it is the same
    for any number of processes, up to rounding.

    Args:
        runner: The Runner of the step that follows.
        previous: The previous step's ``final.pth``.
        alpha: Share of the newest batch in the running average, 0 to 1; see
            :func:`~incseg.engine.hooks.importance.fisher_average`.  The average starts at 1.
        sources: The data sets of the steps; None if both steps share one.

    Returns:
        The Fisher information by parameter name, each tensor of the parameter's shape and on
        the model's device, equal in all processes.

    Raises:
        InvalidInputError: The running step learns from image-level labels, so its
            data set does not read the masks of the previous step.
    """
    settings = runner.cfg.train_dataloader.dataset
    if LOAD_MASKS['type'] not in [transform.type for transform in settings.pipeline]:
        raise InvalidInputError(
            'method.hooks: EWC and RW estimate importance from the masks of the base step, which '
            'a step on image-level labels or pseudo-labels does not read: leave them out'
        )
    checkpoint = StepCheckpoint.of(previous)
    network = MODELS.build(teacher_config(runner.cfg.model))
    load_weights(network, checkpoint.state_dict, previous)
    network.to(next(runner.model.parameters()).device).eval()
    step = checkpoint.meta['step']
    data = dict(settings.to_dict(), step=step, dataset=step_images(runner).dataset)
    if sources is not None:
        data.update({'metainfo': None, **sources.labelling(step)})
        if sources.data(step, 'train') != sources.data(step + 1, 'train'):
            data['dataset'] = sources.data(step, 'train')
    dataset = DATASETS.build(data)
    parameters = dict(network.named_parameters())
    fisher = {
        name: torch.ones_like(value, requires_grad=False) for name, value in parameters.items()
    }
    for batch in data_pass(runner, dataset):
        with runner.optim_wrapper.optim_context(network):
            losses = network.loss(batch['inputs'], batch['labels'])
        gradients = torch.autograd.grad(
            sum(losses.values()), list(parameters.values()), materialize_grads=True
        )
        for name, gradient in zip(parameters, gradients):
            all_reduce(gradient, 'mean')
            fisher[name] = fisher_average(fisher[name], gradient, alpha)
    return fisher
