"""What AffinityNet learns from: labels that two sets of refined scores are sure of."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = 255
STRIDE = 8
LEAST = 1e-5


def affinity_labels(ids: Sequence[int], strong: Tensor, weak: Tensor) -> Tensor:
    """Classes by the scores with a strong background, background by those with a weak one.

    Scores are averaged over blocks of 8x8.  A block whose best score with the
    strong background is a class gets that class; one whose best score with the
    weak background is the background gets 0; the others, and those without any
    score, are ignored.

    Args:
        ids: dataset ids of the channels, 0 first.
        strong: ``(1 + k, H, W)``, made with background power 4.
        weak: the same with power 24.

    Returns:
        uint8 ``(ceil(H / 8), ceil(W / 8))``: dataset ids, 255 = ignored.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, section 3.2.
    """
    small = [F.avg_pool2d(scores[None], STRIDE, ceil_mode=True)[0] for scores in (strong, weak)]
    names = torch.as_tensor(list(ids), dtype=torch.uint8, device=strong.device)
    label = names[small[0].argmax(0)]
    label[label == 0] = IGNORED
    label[small[1].argmax(0) == 0] = 0
    label[torch.maximum(small[0].amax(0), small[1].amax(0)) < LEAST] = IGNORED
    return label
