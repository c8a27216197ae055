from collections.abc import Sequence
from typing import Any

from mmengine.dataset import pseudo_collate
from torch.utils.data import default_collate

from incseg.registry import FUNCTIONS


@FUNCTIONS.register_module()
def collate_samples(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Samples of one size as one tensor of images and one of labels.

    A worker then hands over two pieces of shared memory instead of two a
    sample, and the batch goes to a GPU in two transfers.

    Args:
        samples: What :class:`PackSegInputs` returns.

    Returns:
        ``inputs`` uint8 ``(N, 3, H, W)``, ``labels`` uint8 ``(N, H, W)``, which
        the model's preprocessor gives back to its ``data_samples``.  Samples
        of several sizes, or of another kind, stay lists.
    """
    kinds = {(tuple(sorted(sample)), *shapes(sample)) for sample in samples}
    if len(kinds) > 1 or not kinds or kinds.pop()[0] != ('data_samples', 'inputs'):
        return pseudo_collate(samples)
    batch = dict(
        inputs=default_collate([sample['inputs'] for sample in samples]),
        data_samples=[sample['data_samples'] for sample in samples],
    )
    if 'gt_sem_seg' in samples[0]['data_samples']:
        batch['labels'] = default_collate(
            [sample['data_samples'].gt_sem_seg.data[0] for sample in samples]
        )
        for sample in batch['data_samples']:
            del sample.gt_sem_seg
    return batch


def shapes(sample: dict[str, Any]) -> tuple[Any, Any]:
    """Of the image and of the labels, where there are some."""
    labels = sample.get('data_samples', {})
    return (
        getattr(sample.get('inputs'), 'shape', None),
        labels.gt_sem_seg.data.shape if 'gt_sem_seg' in labels else None,
    )
