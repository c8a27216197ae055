from collections.abc import Iterator
from typing import Any

from mmengine.model import is_model_wrapper


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
    sampler = settings['batch_sampler']
    settings['batch_sampler'] = dict(
        type=sampler['type'], total_batch_size=sampler['total_batch_size'], epochs=1,
        seed=sampler['seed'])
    for batch in runner.build_dataloader(settings):
        yield model.data_preprocessor(batch, True)
