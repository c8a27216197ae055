from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from incseg.engine.checkpoint import load_weights, read_step_checkpoint
from incseg.engine.data_pass import data_pass, step_images
from incseg.engine.hooks.incremental_hook import teacher_config
from incseg.engine.importance import fisher_average
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, MODELS


def fisher_pass(runner: Any, previous: str, alpha: float) -> dict[str, Tensor]:
    """The previous step's Fisher information, from one epoch of its data.

    For a step that was trained without gathering it.  The network of that step
    is in eval mode and stays as it is, so there is no dropout and no batch
    statistics: the result depends on config and weights alone, and is the same
    for any number of processes, up to rounding.

    Args:
        runner: The Runner of the step that follows.
        previous: The previous step's ``final.pth``.
        alpha: See :func:`~incseg.engine.importance.fisher_average`; it starts at 1.

    Returns:
        By parameter name, on the model's device, equal in all processes.

    Raises:
        InvalidInputError: If the running step learns from image-level labels:
            its data set does not read the masks of the step before.
    """
    settings = runner.cfg.train_dataloader.dataset
    if settings.type == 'WeakDataset' or settings.get('image_labels') is not None:
        raise InvalidInputError(
            'method.hooks: EWC and RW estimate importance from the masks of the base step, which '
            'a step on image-level labels or pseudo-labels does not read: leave them out')
    checkpoint = read_step_checkpoint(previous)
    network = MODELS.build(teacher_config(runner.cfg.model))
    load_weights(network, checkpoint['state_dict'], previous)
    network.to(next(runner.model.parameters()).device).eval()
    dataset = DATASETS.build(dict(
        settings.to_dict(), step=checkpoint['meta']['step'],
        dataset=step_images(runner).dataset))
    parameters = dict(network.named_parameters())
    fisher = {name: torch.ones_like(value, requires_grad=False)
              for name, value in parameters.items()}
    for batch in data_pass(runner, dataset):
        labels = torch.stack([sample.gt_sem_seg.data[0] for sample in batch['data_samples']])
        with runner.optim_wrapper.optim_context(network):
            losses = network.loss(batch['inputs'], labels)
        gradients = torch.autograd.grad(
            sum(losses.values()), list(parameters.values()), materialize_grads=True)
        for name, gradient in zip(parameters, gradients):
            all_reduce(gradient, 'mean')
            fisher[name] = fisher_average(fisher[name], gradient, alpha)
    return fisher
