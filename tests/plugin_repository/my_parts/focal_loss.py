import torch
import torch.nn.functional as F
from torch import nn

from incseg.models.losses.functional.precision import at_least_float32
from incseg.protocols.value_rules import NOT_NEGATIVE, checked
from incseg.registry import MODELS


@MODELS.register_module()
class SmallFocalLoss(nn.Module):
    """A focal loss of the logits as the head made them; old classes count as background."""

    low_resolution = True
    base_step_type = 'CrossEntropyLoss'
    gamma = 2.0

    def __init__(self, loss_weight=1.0):
        super().__init__()
        self.loss_weight = checked('SmallFocalLoss loss_weight', loss_weight, NOT_NEGATIVE)

    def forward(self, logits, target, *, num_old, ignore_index):
        if num_old < 2:
            raise RuntimeError('step 0 has another loss, base_step_type')
        if logits.shape[-1] >= target.shape[-1]:
            raise RuntimeError('logits were to come as the head made them')
        logits = at_least_float32(logits)
        background = logits[:, :num_old].logsumexp(1, keepdim=True)
        merged = torch.cat([background, logits[:, num_old:]], 1)
        small = F.interpolate(target[:, None].float(), size=logits.shape[-2:])[:, 0].long()
        void = small == ignore_index
        wanted = (small - num_old + 1).clamp(min=0).masked_fill(void, ignore_index)
        entropy = F.cross_entropy(merged, wanted, ignore_index=ignore_index, reduction='none')
        return self.loss_weight * ((1 - (-entropy).exp()) ** self.gamma * entropy).mean()
