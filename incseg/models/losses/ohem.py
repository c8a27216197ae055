"""Cross-entropy on the pixels that the network finds hardest."""

from collections.abc import Sequence
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from incseg.models.losses.functional.cross_entropy import (
    channels_of_labels,
    check_image_weight,
    check_target,
)
from incseg.registry import MODELS
from incseg.utils.precision import at_least_float32
from incseg.utils.rules import NOT_NEGATIVE, POSITIVE, SHARE, checked


@MODELS.register_module()
class OhemCrossEntropyLoss(nn.Module):
    """Ordinary cross-entropy, averaged over hard pixels alone (online hard example mining).

    Hard are the pixels whose label has a probability below ``threshold``; where they are fewer
    than the share ``min_kept`` of all labelled pixels, that many with the highest loss.  It is a
    loss of step 0 (``method.base_loss``): it knows of no old classes.

    Args:
        threshold: Probability of the label, above 0 and at most 1.
        min_kept: Share of the labelled pixels that always counts, 0 to 1.
        loss_weight: Factor on the loss, 0 or more.

    Raises:
        InvalidInputError: If an argument's value is not allowed.

    Source: Shrivastava et al., CVPR 2016; common in training codes of BiSeNet, with these
    defaults.
    """

    #: whether the loss takes logits at the head's own resolution; it needs one loss per pixel
    low_resolution = False

    def __init__(self, threshold: float = 0.7, min_kept: float = 1 / 16, loss_weight: float = 1.0):
        super().__init__()
        name = type(self).__name__
        checked(f'{name} threshold', threshold, POSITIVE)
        self.threshold = checked(f'{name} threshold', threshold, SHARE)
        self.min_kept = checked(f'{name} min_kept', min_kept, SHARE)
        self.loss_weight = checked(f'{name} loss_weight', loss_weight, NOT_NEGATIVE)

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        num_old: int,
        ignore_index: int = 255,
        image_weight: Tensor | None = None,
        hidden: Sequence[int] | None = None,
    ) -> Tensor:
        """Return the weighted loss, a scalar of float32 or wider.

        Args:
            logits: ``(N, C, H, W)``, unnormalised.
            target: ``(N, H, W)``, integer train ids.
            num_old: Not used.
            ignore_index: Pixels with this label do not count; without another pixel the loss
                is 0.
            image_weight: ``(N,)``, a factor on the loss of each image's pixels, or None.
            hidden: Not used, as ``num_old``.

        Raises:
            ValueError: If a label is neither a channel nor ignored; on a GPU the loss is NaN then.
        """
        check_target(target, logits.shape[1], ignore_index)
        channel, valid, foreign = channels_of_labels(target, logits.shape[1], ignore_index)
        loss = F.cross_entropy(at_least_float32(logits), channel, reduction='none')
        loss = loss.where(valid, 0)
        if foreign is not None:
            loss = loss.masked_fill(foreign, float('nan'))
        if image_weight is not None:
            loss = loss * check_image_weight(image_weight, logits)[:, None, None]
        if loss.device.type != 'cpu':
            return self.loss_weight * self._mean_of_hardest(loss, valid)
        losses = loss[valid]
        if not len(losses):
            return loss.sum() * self.loss_weight
        least = max(1, int(self.min_kept * len(losses)))
        hard = losses[losses > -log(self.threshold)]
        return self.loss_weight * (hard if len(hard) >= least else losses.topk(least)[0]).mean()

    def _mean_of_hardest(self, loss: Tensor, valid: Tensor) -> Tensor:
        """Return the mean loss of the hard pixels, without a wait for a GPU.

        Hard pixels are those with the highest loss, so that only their number is needed.

        Args:
            loss: ``(N, H, W)``, 0 or more.
            valid: Bool ``(N, H, W)``: the labelled pixels.
        """
        losses = loss.where(valid, -1.0).flatten()
        least = (self.min_kept * valid.sum()).long().clamp_min(1)
        number = torch.maximum((losses > -log(self.threshold)).sum(), least)
        rank = torch.arange(len(losses), device=losses.device)
        ordered = losses.sort(descending=True)[0]
        return ordered.where((rank < number) & ~(ordered < 0), 0.0).sum() / number
