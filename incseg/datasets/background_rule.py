from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from incseg.datasets.label_reader import VOID
from incseg.errors import InvalidInputError

MODES = ('const', 'pow', 'score')


class BackgroundRule:
    """What a class's score has to beat to become a pixel's label.

    * ``const``: one number, SEAM's background threshold (0.26 in its code).
    * ``pow``: ``(1 - max of the scores) ** value``.  The base is at most 1, so
      a large exponent means a weak background.
    * ``score``: the background has a map of its own among the scores, the one
      of id 0, as after a refinement.

    Args:
        mode: one of these.
        value: the threshold, 0 to 1, or the exponent, above 0; None for ``score``.

    Raises:
        InvalidInputError: an argument is out of range.

    Source: Wang et al., SEAM, CVPR 2020; the exponents are those of AffinityNet
    (Ahn and Kwak, CVPR 2018).
    """

    def __init__(self, mode: str = 'const', value: float | None = None) -> None:
        if mode not in MODES:
            raise InvalidInputError(
                f'background.mode is {mode!r}; allowed are {", ".join(MODES)}')
        if mode != 'score':
            _check_value(mode, value)
        self.mode, self.value = mode, value

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> 'BackgroundRule':
        """The rule in a ``meta.json``, ``bg: {mode, value}``."""
        return cls(**meta['bg'])

    def as_meta(self) -> dict[str, Any]:
        """The rule as ``meta.json`` has it."""
        return dict(mode=self.mode, value=self.value)

    def background(self, scores: Tensor) -> Tensor:
        """The background's score in each pixel, ``(1, H, W)``, for ``const`` and ``pow``.

        Args:
            scores: ``(k, H, W)`` of 0 to 1, without the background.
        """
        best = scores.amax(0, keepdim=True) if len(scores) else scores.new_zeros(
            1, *scores.shape[1:])
        if self.value is None:
            raise ValueError("mode 'score' has no formula for the background")
        return torch.full_like(best, self.value) if self.mode == 'const' else (
            (1 - best) ** self.value)

    def label_map(
        self, ids: Sequence[int], scores: Tensor, uncertain: float | None = None
    ) -> Tensor:
        """The best class of each pixel.

        Args:
            ids: k dataset ids; with ``score``, 0 first.
            scores: ``(k, H, W)`` of 0 to 1.
            uncertain: pixels whose best class is closer than this to the
                background become 255.

        Returns:
            uint8 ``(H, W)``; where no class's score is above the background's, 0.
        """
        if self.mode == 'score':
            background, classes, ids = scores[0], scores[1:], ids[1:]
        else:
            background, classes = self.background(scores)[0], scores
        if not len(ids):
            return torch.zeros(scores.shape[1:], dtype=torch.uint8, device=scores.device)
        best, place = classes.max(0)
        names = torch.as_tensor(list(ids), dtype=torch.uint8, device=scores.device)
        label = torch.where(best > background, names[place], 0)
        if uncertain is not None:
            label[(best - background).abs() < uncertain] = VOID
        return label


def _check_value(mode: str, value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if mode == 'const' and not (number and 0 <= value <= 1):
        raise InvalidInputError(
            f'background.value is {value!r}; allowed with const is a score of 0 to 1')
    if mode == 'pow' and not (number and 0 < value < float('inf')):
        raise InvalidInputError(
            f'background.value is {value!r}; allowed with pow is an exponent above 0')
