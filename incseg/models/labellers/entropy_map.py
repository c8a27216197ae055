"""A network's best class of every pixel, and how unsure it is, without full-size logits."""

import torch
from torch import Tensor

from incseg.models.losses.fused.bilinear import bilinear_matrix, source_of, widen
from incseg.models.losses.fused.worker_threads import map_in_threads
from incseg.models.segmentors.label_map import CHUNK, first_best, label_type
from incseg.structures.network_outputs import upsample
from incseg.utils.precision import at_least_float32


@torch.no_grad()
def entropy_maps(logits: Tensor, size: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
    """Per image what :func:`entropy_map` gives, for logits ``(N, C, h, w)``."""
    with torch.autocast(logits.device.type, enabled=False):
        threads = min(torch.get_num_threads(), len(logits)) if logits.device.type == 'cpu' else 1
        return map_in_threads(lambda image: entropy_map(image, size), logits, threads)


def entropy_map(logits: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Logits of one image -> best class and entropy of every pixel at another size.

    The entropy is that of the softmax of the upsampled logits (bilinear,
    ``align_corners=False``).  On CPU a few rows are made at a time.

    Args:
        logits: ``(C, h, w)``; half types are raised to float32.
        size: ``(H, W)``.

    Returns:
        Classes ``(H, W)``, uint8 (int64 for more than 256), and entropies
        ``(H, W)`` in nats, float32 or wider.
    """
    logits = at_least_float32(logits.detach())
    if logits.device.type != 'cpu':
        best, entropy = best_and_entropy(upsample(logits[None], size).clone())
        return best[0], entropy[0]
    (channels, height, width), (tall, wide) = logits.shape, size
    down = bilinear_matrix(height, tall, logits.dtype)
    widened = widen(logits, bilinear_matrix(width, wide, logits.dtype))
    best = torch.empty(tall, wide, dtype=label_type(channels))
    entropy = logits.new_empty(tall, wide)
    rows = min(max(1, CHUNK // (channels * wide)), tall)
    scratch = logits.new_empty(rows, channels, wide)
    for start in range(0, tall, rows):
        stop = min(start + rows, tall)
        used = source_of(down[start:stop])
        scores = scratch[: stop - start]
        torch.mm(down[start:stop, used], widened[used], out=scores.flatten(1))
        best[start:stop], entropy[start:stop] = best_and_entropy(scores)
    return best, entropy


def best_and_entropy(scores: Tensor) -> tuple[Tensor, Tensor]:
    """``(R, C, …)`` -> the best of ``C`` and the entropy of its softmax; spoils the scores."""
    on_cpu = scores.device.type == 'cpu'
    best = first_best(scores) if on_cpu else scores.argmax(1).to(label_type(scores.shape[1]))
    scores -= scores.amax(1, keepdim=True)
    parts = scores.exp()
    total = parts.sum(1)
    return best, total.log() - parts.mul_(scores).sum(1) / total
