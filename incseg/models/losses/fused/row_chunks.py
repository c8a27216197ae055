"""The fused losses on a CPU: a few rows at a time, together with their gradients."""

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

from incseg.models.losses.fused.bilinear import bilinear_matrix, narrow, source_of, widen
from incseg.models.losses.fused.channel_groups import ChannelGroups, log_add_exp
from incseg.models.losses.fused.worker_threads import map_in_threads

#: upsampled logits that a thread holds at once (1 MB of float32), so that they stay in its cache
CHUNK = 1 << 18


class Scratch:
    """Memory that every chunk of rows uses again: new memory costs more than the arithmetic.

    Args:
        logits: ``(N, C, h, w)``; only dtype, device and sizes are read.
        num_teacher: ``K``, the teacher's outputs; 0 without distillation.
        size: ``(H, W)`` of the upsampled logits.
        grads: Names of the gradients that are computed.

    Attributes:
        rows: Number of rows of a chunk.
        wide_grads: By name, a gradient at full width and low height, ``(h, C * W)``.
    """

    def __init__(self, logits: Tensor, num_teacher: int, size: tuple[int, int], grads: list[str]):
        channels, height = logits.shape[1:3]
        self.size = size
        self.rows = min(max(1, CHUNK // (channels * size[1])), size[0])
        self._student = logits.new_empty(self.rows, channels, size[1])
        self._grad = torch.empty_like(self._student) if len(grads) > 1 else self._student
        self._teacher = logits.new_empty(2, self.rows, num_teacher, size[1])
        self.wide_grads = {name: logits.new_empty(height, channels * size[1]) for name in grads}

    def student(self, rows: int) -> Tensor:
        """Return memory for the student's upsampled logits, ``(rows, C, W)``."""
        return self._student[:rows]

    def grad(self, rows: int) -> Tensor:
        """Return memory ``(rows, C, W)`` for a gradient; if there is only one, the student's."""
        return self._grad[:rows]

    def teacher(self, rows: int) -> Tensor:
        """Return memory for the teacher's logits and probabilities, ``(2, rows, K, W)``."""
        return self._teacher[:, :rows]


@dataclass
class FusedLosses:
    """Cross-entropy and distillation of a batch, and their gradients by the student's logits.

    The losses are scalars: means over pixels, the distillation also over the teacher's classes.
    The gradients are ``(N, C, h, w)``.  Values that were not requested are None.
    """

    cross_entropy: Tensor | None = None
    distillation: Tensor | None = None
    cross_entropy_grad: Tensor | None = None
    distillation_grad: Tensor | None = None


class RowChunks:
    """Computes the losses and their gradients on a CPU in one pass over the pixels.

    The logits of one image are upsampled along its width, then a few rows at a
    time along its height; each chunk's gradient is brought back to the low
    resolution before the next chunk.  No full-size tensor exists.

    Args:
        num_channels: ``C``, the student's outputs.
        num_teacher: ``K``, the teacher's outputs; 0 without distillation.
        num_old: Number of the first outputs that the cross-entropy adds up to the background.
        unbiased: Whether the teacher's background is matched by background
            plus new classes (MiB), or the new classes are left out (LwF).
        ignore_index: Pixels with this label add nothing to the cross-entropy.
        need_grad: Whether gradients are computed.
    """

    def __init__(
        self,
        num_channels: int,
        num_teacher: int,
        num_old: int,
        unbiased: bool,
        ignore_index: int,
        need_grad: bool,
    ):
        self.num_teacher = num_teacher
        self.num_old = num_old if num_old > 1 else 0
        self.unbiased = unbiased
        self.ignore_index = ignore_index
        self.need_grad = need_grad
        self.groups = ChannelGroups(num_channels, (self.num_old, num_teacher))
        self.merged = self.groups.count_below(self.num_old)
        self.num_known = max(self.groups.count_below(num_teacher), 1)

    def run(
        self,
        logits: Tensor,
        teacher_logits: Tensor | None,
        target: Tensor | None,
        size: tuple[int, int],
        image_weight: Tensor | None = None,
    ) -> FusedLosses:
        """Return the losses of a batch, with their gradients.

        Args:
            logits: ``(N, C, h, w)``, float32 or float64.
            teacher_logits: ``(N, K, h, w)`` of the same dtype; None for no distillation.
            target: ``(N, H, W)`` of train ids; None for no cross-entropy.
            size: ``(H, W)`` to which the logits are upsampled.
            image_weight: ``(N,)`` of the same dtype, a factor on each image's
                cross-entropy, or None.
        """
        requested = dict(cross_entropy=target is not None, distillation=teacher_logits is not None)
        grads = {
            name: logits.new_empty(logits.shape)
            for name, on in requested.items()
            if on and self.need_grad
        }
        threads = min(torch.get_num_threads(), len(logits))
        scratches = deque(
            Scratch(logits, self.num_teacher, size, list(grads)) for _ in range(threads)
        )

        def one_image(i: int) -> dict[str, Tensor]:
            scratch = scratches.pop()
            sums = self._image(
                logits[i],
                None if teacher_logits is None else teacher_logits[i],
                None if target is None else target[i],
                scratch,
                {name: grad[i] for name, grad in grads.items()},
            )
            scratches.append(scratch)
            if image_weight is not None:
                sums['cross_entropy'] *= image_weight[i]
                if 'cross_entropy' in grads:
                    grads['cross_entropy'][i] *= image_weight[i]
            return sums

        sums = map_in_threads(one_image, range(len(logits)), threads)
        pixels = len(logits) * size[0] * size[1]
        divisors = dict(cross_entropy=pixels, distillation=pixels * max(self.num_teacher, 1))
        return FusedLosses(
            **{
                name: (torch.stack([image[name] for image in sums]).sum() / divisors[name]).to(
                    logits.dtype
                )
                for name, on in requested.items()
                if on
            },
            **{f'{name}_grad': grad.div_(divisors[name]) for name, grad in grads.items()},
        )

    def _image(
        self,
        logits: Tensor,
        teacher: Tensor | None,
        target: Tensor | None,
        scratch: Scratch,
        grads: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the sums of one image's losses over its pixels, float64 scalars by name.

        Its gradients ``(C, h, w)`` are written to the tensors of ``grads``.
        """
        (height, width), size = logits.shape[1:], scratch.size
        down = bilinear_matrix(height, size[0], logits.dtype)
        across = bilinear_matrix(width, size[1], logits.dtype)
        wide = widen(logits, across)
        wide_teacher = None if teacher is None else widen(teacher, across)
        sums = {
            name: logits.new_zeros((), dtype=torch.float64)
            for name in ('cross_entropy', 'distillation')
        }
        for wide_grad in scratch.wide_grads.values():
            wide_grad.zero_()
        for start in range(0, size[0], scratch.rows):
            stop = min(start + scratch.rows, size[0])
            used = source_of(down[start:stop])
            weights = down[start:stop, used]
            student = scratch.student(stop - start)
            torch.mm(weights, wide[used], out=student.flatten(1))
            if target is not None:
                valid = target[start:stop] != self.ignore_index
                index = target[start:stop].long().where(valid, 0)
                index = index.where(index >= self.num_old, 0).unsqueeze(1)
                own = student.gather(1, index).squeeze(1)
            if wide_teacher is not None:
                known, probabilities = scratch.teacher(stop - start)
                torch.mm(weights, wide_teacher[used], out=known.flatten(1))
                torch.softmax(known, 1, out=probabilities)
                matched = torch.mul(
                    probabilities[:, 1:], student[:, 1 : self.num_teacher], out=known[:, 1:]
                ).sum(1)
            peaks, lse = self.groups.exp_(student)
            if target is not None:
                loss, factors = self._cross_entropy(peaks, lse, own, index, valid)
                sums['cross_entropy'] += loss
                if self.need_grad:
                    grad = self.groups.scale(student, factors[:-1], scratch.grad(stop - start))
                    grad.scatter_add_(1, index, factors[-1].unsqueeze(1))
                    scratch.wide_grads['cross_entropy'][used].addmm_(weights.T, grad.flatten(1))
            if wide_teacher is not None:
                loss, factors = self._distillation(peaks, lse, probabilities[:, 0], matched)
                sums['distillation'] += loss
                if self.need_grad:
                    grad = self.groups.scale(student, factors, student)
                    grad[:, 1 : self.num_teacher] -= probabilities[:, 1:]
                    scratch.wide_grads['distillation'][used].addmm_(weights.T, grad.flatten(1))
        for name, grad in grads.items():
            grad.copy_(narrow(scratch.wide_grads[name], across))
        return sums

    def _cross_entropy(
        self, peaks: Tensor, lse: Tensor, own: Tensor, index: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the sum of some rows' cross-entropy, and the factors of its gradient.

        The gradient is each group's factor times its ``exp(logit - peak)``,
        plus the last factor at the pixel's own class.

        Args:
            peaks, lse: Of :meth:`ChannelGroups.exp_`, ``(groups, R, W)``.
            own: Logit of each pixel's label, ``(R, W)``.
            index: The labels, ``(R, 1, W)``; merged and ignored ones are 0.
            valid: Bool ``(R, W)``, False for ignored pixels.

        Returns:
            Scalar, and ``(groups + 1, R, W)``.
        """
        total = log_add_exp(lse)
        is_valid = valid.to(total.dtype)
        factors = torch.empty(len(peaks) + 1, *total.shape, dtype=total.dtype)
        torch.sub(peaks, total, out=factors[:-1]).exp_().mul_(is_valid)
        torch.neg(is_valid, out=factors[-1])
        if self.merged:
            background = log_add_exp(lse[: self.merged])
            is_background = index[:, 0] == 0
            own = torch.where(is_background, background, own)
            is_background = is_valid * is_background
            factors[: self.merged] -= (peaks[: self.merged] - background).exp_().mul_(is_background)
            factors[-1] += is_background
        return (total - own).mul_(is_valid).sum(), factors

    def _distillation(
        self, peaks: Tensor, lse: Tensor, teacher_background: Tensor, matched: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the sum of some rows' distillation, and the factors of its gradient.

        The gradient is each group's factor times its ``exp(logit - peak)``, minus the
        teacher's probabilities at the old classes.

        Args:
            peaks, lse: Of :meth:`ChannelGroups.exp_`, ``(groups, R, W)``.
            teacher_background: The teacher's probability of the background, ``(R, W)``.
            matched: Sum over old classes of the teacher's probability times the student's
                logit, ``(R, W)``.

        Returns:
            Scalar, and ``(groups, R, W)``.
        """
        counted = len(lse) if self.unbiased else self.num_known
        total = log_add_exp(lse[:counted])
        factors = torch.zeros_like(peaks)
        torch.sub(peaks[:counted], total, out=factors[:counted]).exp_()
        background = lse[0]
        if self.unbiased and self.num_known < len(lse):
            background = torch.logaddexp(background, log_add_exp(lse[self.num_known :]))
            factors[self.num_known :] -= (
                (peaks[self.num_known :] - background).exp_().mul_(teacher_background)
            )
        factors[0] -= (peaks[0] - background).exp_().mul_(teacher_background)
        return (total - teacher_background * background - matched).sum(), factors
