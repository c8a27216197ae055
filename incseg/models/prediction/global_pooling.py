"""Global pooling whose averages are those of the whole picture, though windows are predicted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from incseg.models.prediction.windows import Span


class PictureAverages(TorchFunctionMode):
    """Averages of global pooling over all windows of a picture.

    It finds the calls, not the modules: ``adaptive_avg_pool2d(x, 1)`` as function or layer, and
    the mean of ``(N, C, H, W)`` over its last two axes.  The calls of a network are told apart by
    their number.  While a pass runs, each call notes its window's sum over the places that are
    taken from that window.  Afterwards every call returns the mean of the whole picture as the
    last pass found it.  A call that depends on another one has its true average one pass later:
    a network whose calls form a chain of ``n`` needs ``n`` passes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Tensor] = []
        self.sums: list[Tensor] = []
        self.places: list[int] = []
        self.number = 0
        self.window: tuple[Span, Span] | None = None

    @contextmanager
    def of_window(self, window: tuple[Span, Span], record: bool) -> Iterator[None]:
        """Take part in one forward pass of one window.

        Args:
            window: Its rows and columns.
            record: Whether its sums are noted.
        """
        self.number, self.window = 0, window if record else None
        with self:
            yield

    def end_pass(self) -> None:
        """Make the averages of the pass those that the next windows get."""
        self.known = [each / places for each, places in zip(self.sums, self.places)]
        self.sums, self.places = [], []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not is_global_pooling(func, args, kwargs):
            return func(*args, **kwargs)
        x, number = args[0], self.number
        self.number += 1
        if self.window is not None:
            self._note(x, number, self.window)
        result = func(*args, **kwargs)
        if number >= len(self.known):
            return result
        return self.known[number].to(result.dtype).reshape(result.shape)

    def _note(self, x: Tensor, number: int, window: tuple[Span, Span]) -> None:
        rows, columns = (span.cells(count) for span, count in zip(window, x.shape[-2:]))
        part = x[..., rows, columns]
        total = part.double().sum((-2, -1))
        places = part.shape[-2] * part.shape[-1]
        if number < len(self.sums):
            self.sums[number] += total
            self.places[number] += places
        else:
            self.sums.append(total)
            self.places.append(places)


def is_global_pooling(func: Any, args: tuple, kwargs: dict) -> bool:
    """Say whether a call is the mean of each channel of a map over the whole map."""
    if func not in (F.adaptive_avg_pool2d, torch.mean, Tensor.mean):
        return False
    x, *others = args or (None,)
    if not isinstance(x, Tensor) or x.ndim != 4 or len(x) != 1:
        return False
    if func is F.adaptive_avg_pool2d:
        size = others[0] if others else kwargs.get('output_size')
        return size == 1 or tuple(size or ()) == (1, 1)
    axes = others[0] if others else kwargs.get('dim')
    return isinstance(axes, tuple | list) and sorted(axis % 4 for axis in axes) == [2, 3]
