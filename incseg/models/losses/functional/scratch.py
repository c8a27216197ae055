import torch
from torch import Tensor

#: Upsampled logits a thread holds at once (1 MB of float32): what stays near its core.
CHUNK = 1 << 18


class Scratch:
    """The memory that every chunk of rows uses again: fresh pages cost more than the sums.

    Args:
        logits: ``(N, C, h, w)``; gives type and sizes.
        num_teacher: ``K``, 0 without distillation.
        size: ``(H, W)`` of the upsampled logits.
        grads: Names of the gradients that are wanted.

    Attributes:
        rows: Rows of a chunk.
        wide_grads: Per name ``(h, C * W)``.
    """

    def __init__(self, logits: Tensor, num_teacher: int, size: tuple[int, int], grads: list[str]):
        channels, height = logits.shape[1:3]
        self.size = size
        self.rows = min(max(1, CHUNK // (channels * size[1])), size[0])
        self._student = logits.new_empty(self.rows, channels, size[1])
        self._grad = torch.empty_like(self._student) if len(grads) > 1 else self._student
        self._teacher = logits.new_empty(2, self.rows, num_teacher, size[1])
        self.wide_grads = {
            name: logits.new_empty(height, channels * size[1]) for name in grads}

    def student(self, rows: int) -> Tensor:
        """``(rows, C, W)``"""
        return self._student[:rows]

    def grad(self, rows: int) -> Tensor:
        """``(rows, C, W)``; the student's own memory where one gradient is wanted."""
        return self._grad[:rows]

    def teacher(self, rows: int) -> Tensor:
        """``(2, rows, K, W)``"""
        return self._teacher[:, :rows]
