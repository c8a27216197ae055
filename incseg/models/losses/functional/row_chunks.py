"""The losses of upsampled logits on CPU: a few rows at a time, gradients on the way."""
from dataclasses import dataclass

import torch
from torch import Tensor

from incseg.models.losses.functional.bilinear import bilinear_matrix, source_rows
from incseg.models.losses.functional.channel_groups import ChannelGroups

#: Upsampled logits held at once (2 MB of float32): what stays near the cores.
CHUNK = 1 << 19


@dataclass
class FusedLosses:
    """Means over pixels (and the teacher's classes), with gradients by the logits.

    What was not asked for is None.
    """

    cross_entropy: Tensor | None = None
    distillation: Tensor | None = None
    cross_entropy_grad: Tensor | None = None
    distillation_grad: Tensor | None = None


class RowChunks:
    """Computes the losses and their gradients in one pass over the pixels.

    The logits of one image are upsampled along its width, then a few rows at a
    time along its height; each chunk's gradient is brought back to the low
    resolution before the next is made.  No full-size tensor exists.

    Args:
        num_channels: ``C``, the student's outputs.
        num_teacher: ``K``, the teacher's outputs; 0 without distillation.
        num_old: Outputs merged into the background by the cross-entropy.
        unbiased: Whether the teacher's background is matched by background
            plus new classes (MiB), or the new classes are left out (LwF).
        ignore_index: Pixels with this label add nothing to the cross-entropy.
        need_grad: Whether gradients are wanted.
    """

    def __init__(self, num_channels: int, num_teacher: int, num_old: int, unbiased: bool,
                 ignore_index: int, need_grad: bool):
        self.num_teacher = num_teacher
        self.num_old = num_old if num_old > 1 else 0
        self.ignore_index = ignore_index
        self.need_grad = need_grad
        self.groups = ChannelGroups(num_channels, (self.num_old, num_teacher))
        every = self.groups.from_(0)
        self.merged = self.groups.below(self.num_old)
        self.normalised = every if unbiased else self.groups.below(num_teacher)
        self.background = [0, *self.groups.from_(max(num_teacher, 1))] if unbiased else [0]

    def run(self, logits: Tensor, teacher_logits: Tensor | None, target: Tensor | None,
            size: tuple[int, int]) -> FusedLosses:
        """Logits ``(N, C, h, w)``, teacher's ``(N, K, h, w)``, target ``(N, H, W)``.

        Float32 or float64; ``size`` is ``(H, W)``.
        """
        wanted = dict(cross_entropy=target is not None, distillation=teacher_logits is not None)
        sums = {name: logits.new_zeros((), dtype=torch.float64) for name in wanted}
        grads = {name: logits.new_zeros(logits.shape) for name, on in wanted.items()
                 if on and self.need_grad}
        for i in range(len(logits)):
            self._image(
                logits[i], None if teacher_logits is None else teacher_logits[i],
                None if target is None else target[i], size, sums,
                {name: grad[i] for name, grad in grads.items()})
        pixels = len(logits) * size[0] * size[1]
        divisors = dict(cross_entropy=pixels, distillation=pixels * max(self.num_teacher, 1))
        return FusedLosses(
            **{name: (sums[name] / divisors[name]).to(logits.dtype)
               for name, on in wanted.items() if on},
            **{f'{name}_grad': grad.div_(divisors[name]) for name, grad in grads.items()})

    def _image(self, logits: Tensor, teacher: Tensor | None, target: Tensor | None,
               size: tuple[int, int], sums: dict[str, Tensor], grads: dict[str, Tensor]) -> None:
        """Add one image's sums, and write its gradients ``(C, h, w)``."""
        channels, height, width = logits.shape
        down = bilinear_matrix(height, size[0], logits.dtype)
        across = bilinear_matrix(width, size[1], logits.dtype)
        wide = widen(logits, across)
        wide_teacher = None if teacher is None else widen(teacher, across)
        wide_grads = {name: torch.zeros_like(wide) for name in grads}
        rows = max(1, CHUNK // (channels * size[1]))
        for start in range(0, size[0], rows):
            stop = min(start + rows, size[0])
            used = source_rows(height, size[0], start, stop)
            weights = down[start:stop, used]
            chunk = (weights @ wide[used]).view(-1, channels, size[1])
            if wide_teacher is None:
                probabilities = None
            else:
                probabilities = (weights @ wide_teacher[used]).view(-1, self.num_teacher, size[1])
                probabilities = probabilities.softmax(1)
            chunk_grads = self._chunk(
                chunk, probabilities, None if target is None else target[start:stop], sums)
            for name, grad in chunk_grads.items():
                wide_grads[name][used].addmm_(weights.T, grad.view(stop - start, -1))
        for name, grad in grads.items():
            folded = wide_grads[name].view(height * channels, -1) @ across
            grad.copy_(folded.view(height, channels, width).transpose(0, 1))

    def _chunk(self, logits: Tensor, teacher: Tensor | None, target: Tensor | None,
               sums: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add the sums of rows ``(R, C, W)``; returns their gradients, ``(R, C, W)`` each."""
        if target is not None:
            valid = target != self.ignore_index
            index = target.long().where(valid, 0)
            index = index.where(index >= self.num_old, 0).unsqueeze(1)
            own = logits.gather(1, index).squeeze(1)
        if teacher is not None:
            matched = (teacher[:, 1:] * logits[:, 1:self.num_teacher]).sum(1)
        parts, (peaks, lse) = logits, self.groups.exp_(logits)
        grads = {}
        if target is not None:
            total = lse.logsumexp(0)
            is_valid = valid.to(total.dtype)
            is_merged = is_valid * (index[:, 0] == 0) if self.num_old else None
            if is_merged is not None:
                background = lse[self.merged].logsumexp(0)
                own = torch.where(index[:, 0] == 0, background, own)
            sums['cross_entropy'] += (total - own).mul_(is_valid).sum()
            if self.need_grad:
                factors = (peaks - total).exp_().mul_(is_valid)
                is_own = is_valid
                if is_merged is not None:
                    factors[self.merged] -= (peaks[self.merged] - background).exp_() * is_merged
                    is_own = is_valid - is_merged
                # the terms below read `parts` again, if there are any
                out = parts if teacher is None else torch.empty_like(parts)
                grads['cross_entropy'] = self.groups.scale(parts, factors, out).scatter_add_(
                    1, index, -is_own.unsqueeze(1))
        if teacher is not None:
            total = lse[self.normalised].logsumexp(0)
            background = lse[self.background].logsumexp(0)
            sums['distillation'] += (total - teacher[:, 0] * background - matched).sum()
            if self.need_grad:
                factors = torch.zeros_like(peaks)
                factors[self.normalised] = (peaks[self.normalised] - total).exp_()
                factors[self.background] -= (
                    (peaks[self.background] - background).exp_() * teacher[:, 0])
                grad = self.groups.scale(parts, factors, parts)
                grad[:, 1:self.num_teacher] -= teacher[:, 1:]
                grads['distillation'] = grad
        return grads


def widen(logits: Tensor, across: Tensor) -> Tensor:
    """``(C, h, w)`` -> ``(h, C * W)``: resized along the width, rows first."""
    channels, height, width = logits.shape
    rows = logits.transpose(0, 1).reshape(height * channels, width)
    return (rows @ across.T).view(height, -1)
