import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
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


#: generators that are not in use; a new one costs as much as a transform
_spare: list[np.random.MT19937] = []


@contextmanager
def sample_seed(seed: int | None) -> Iterator[None]:
    """Seed the global generators of ``numpy``, ``random`` and torch (CPU) for one sample.

    Their states from before come back afterwards, also after an error (but
    for the second of a pair of normal deviates that numpy may hold back).
    Third-party transforms draw from them too, so no generator of our own would
    do.  CUDA's generators are not touched.

    Args:
        seed: 0 to 2**32 - 1; None changes nothing.
    """
    if seed is None:
        yield
        return
    python_state, torch_state = random.getstate(), torch.get_rng_state()
    # numpy's generator is exchanged: twenty times cheaper than to copy its state and back
    own = np.random.get_bit_generator()  # type: ignore[attr-defined]
    other = _spare.pop() if _spare else np.random.MT19937(0)
    np.random.set_bit_generator(other)  # type: ignore[attr-defined]
    np.random.seed(seed)
    random.seed(int(seed))
    torch.default_generator.manual_seed(int(seed))
    try:
        yield
    finally:
        np.random.set_bit_generator(own)  # type: ignore[attr-defined]
        _spare.append(other)
        random.setstate(python_state)
        torch.set_rng_state(torch_state)
