"""A network's class of every pixel, and how unsure it is, without full-size logits."""

import torch
from torch import Tensor

from incseg.models.decode_heads.class_map import CHUNK, Decision, classes_of_rows, label_type
from incseg.models.losses.fused.bilinear import bilinear_matrix, source_of, widen
from incseg.models.losses.fused.worker_threads import map_in_threads
from incseg.structures.network_outputs import upsample
from incseg.utils.precision import at_least_float32


@torch.no_grad()
def entropy_maps(
    logits: Tensor, size: tuple[int, int], decide: Decision | None = None
) -> list[tuple[Tensor, Tensor]]:
    """Return class and entropy of every pixel of each image at another size, without gradient.

    Args:
        logits: ``(N, C, h, w)``, before the softmax.
        size: Height and width of the results, ``(H, W)``.
        decide: Turns logits into classes, as :meth:`BaseDecodeHead.decide`; None for the argmax.

    Returns:
        For each image train ids and entropies in nats, two maps ``(H, W)``.
    """
    with torch.autocast(logits.device.type, enabled=False):
        threads = min(torch.get_num_threads(), len(logits)) if logits.device.type == 'cpu' else 1
        return map_in_threads(lambda image: entropy_map(image, size, decide), logits, threads)


def entropy_map(
    logits: Tensor, size: tuple[int, int], decide: Decision | None = None
) -> tuple[Tensor, Tensor]:
    """Return class and entropy of every pixel of one image at another size.

    The entropy is that of the softmax of the upsampled logits (bilinear,
    ``align_corners=False``).  On CPU a few rows are computed at a time.

    Args:
        logits: ``(C, h, w)``; half types are raised to float32.
        size: Height and width of the results, ``(H, W)``.
        decide: Turns logits into classes, as :meth:`BaseDecodeHead.decide`; None for the argmax.

    Returns:
        Train ids ``(H, W)``, uint8 (int64 for more than 256), and entropies
        ``(H, W)`` in nats, float32 or wider.
    """
    logits = at_least_float32(logits.detach())
    kind = label_type(len(logits), decide)
    if logits.device.type != 'cpu':
        scores = upsample(logits[None], size).clone()
        classes = scores.argmax(1) if decide is None else decide(scores)
        return classes[0].to(kind), entropy_of(scores)[0]
    (channels, height, width), (tall, wide) = logits.shape, size
    down = bilinear_matrix(height, tall, logits.dtype)
    widened = widen(logits, bilinear_matrix(width, wide, logits.dtype))
    classes = torch.empty(tall, wide, dtype=kind)
    entropy = logits.new_empty(tall, wide)
    rows = min(max(1, CHUNK // (channels * wide)), tall)
    scratch = logits.new_empty(rows, channels, wide)
    for start in range(0, tall, rows):
        stop = min(start + rows, tall)
        used = source_of(down[start:stop])
        scores = scratch[: stop - start]
        torch.mm(down[start:stop, used], widened[used], out=scores.flatten(1))
        classes[start:stop] = classes_of_rows(scores, decide)
        entropy[start:stop] = entropy_of(scores)
    return classes, entropy


def entropy_of(scores: Tensor) -> Tensor:
    """Return the entropy of the softmax over the channels, in nats.

    Args:
        scores: Logits ``(R, C, …)``; they are overwritten.

    Returns:
        ``(R, …)``.
    """
    scores -= scores.amax(1, keepdim=True)
    parts = scores.exp()
    total = parts.sum(1)
    return total.log() - parts.mul_(scores).sum(1) / total
