from collections.abc import Sequence
from typing import Any

from mmengine.dataset import pseudo_collate
from torch.utils.data import default_collate

from incseg.registry import FUNCTIONS


@FUNCTIONS.register_module()
def collate_samples(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join samples of one size into one tensor of images and one of labels.

    A worker process then hands over two pieces of shared memory per batch
    instead of two per sample, and a batch goes to a GPU in two transfers.

    Args:
        samples: Samples from :class:`PackSegInputs`, each a dict of ``inputs``,
            uint8 ``(3, H, W)``, and ``data_samples``, a :class:`SegDataSample`,
            which loses its ``gt_sem_seg`` to ``labels``.

    Returns:
        ``inputs``, uint8 ``(N, 3, H, W)``; ``data_samples``, a list of N samples
        without ``gt_sem_seg``; ``labels``, uint8 ``(N, H, W)`` of train ids, if
        the samples have label maps.  Samples of several sizes, or with other
        keys, become a dict of lists, and keep their ``gt_sem_seg``.
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
    """Return the shapes of a sample's image and of its label map, each None if it is missing."""
    packed = sample.get('data_samples', {})
    return (
        getattr(sample.get('inputs'), 'shape', None),
        packed.gt_sem_seg.data.shape if 'gt_sem_seg' in packed else None,
    )
