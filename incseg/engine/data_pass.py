from collections.abc import Iterator
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor

from incseg.datasets import ReplayDataset
from incseg.structures import NetworkOutputs


def data_pass(runner: Any, dataset: Any = None) -> Iterator[dict[str, Any]]:
    """One epoch of batches, before or beside the training; each process gets its share.

    Same batch size, augmentation and seed as the training's first epoch, so
    the pass depends on the config alone, not on when it is made.

    Args:
        runner: The Runner of the step.
        dataset: An ``IncrementalDataset``; the one that is trained on by default.

    Yields:
        What the model's preprocessor returns: ``inputs`` float32
        ``(N, 3, H, W)`` on the model's device, and ``data_samples``.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    settings = dict(runner.cfg.train_dataloader.to_dict())
    settings['dataset'] = runner.train_dataloader.dataset if dataset is None else dataset
    settings['persistent_workers'] = False
    settings['batch_sampler'] = dict(settings['batch_sampler'], num_iters=None, epochs=1)
    for batch in runner.build_dataloader(settings):
        yield model.data_preprocessor(batch, True)


def step_images(runner: Any) -> Any:
    """The data set of the step's own images: the one trained on, without a memory's exemplars."""
    trained = runner.train_dataloader.dataset
    return trained.dataset if isinstance(trained, ReplayDataset) else trained


def teacher_pass(runner: Any) -> Iterator[tuple[Tensor, NetworkOutputs]]:
    """:func:`data_pass` over the step's own images through the teacher.

    Under the training's autocast.  A memory's exemplars are left out: their
    labels are those of their steps and are not replaced.

    Yields:
        Labels ``(N, H, W)`` of train ids and the teacher's outputs.
    """
    student = runner.model.module if is_model_wrapper(runner.model) else runner.model
    for batch in data_pass(runner, step_images(runner)):
        labels = torch.stack([sample.gt_sem_seg.data[0] for sample in batch['data_samples']])
        with runner.optim_wrapper.optim_context(runner.model):
            outputs = student.run_teacher(batch['inputs'])
        yield labels, outputs
