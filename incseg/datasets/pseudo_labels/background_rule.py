from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from incseg.constants import VOID
from incseg.errors import InvalidInputError
from incseg.utils.rules import POSITIVE, SHARE, Rule, check_values, expected, one_of, or_none

#: the value of each mode
VALUES: dict[str, Rule] = {
    'const': (SHARE[0], "a score of 0 to 1 with mode 'const'"),
    'pow': (POSITIVE[0], "an exponent above 0 with mode 'pow'"),
    'score': (lambda value: value is None, "None with mode 'score'"),
}
UNCERTAIN = dict(uncertain=or_none(SHARE))


class BackgroundRule:
    """The score of the background: a class becomes a pixel's label if its score is higher.

    * ``const``: one number for all pixels, SEAM's background threshold (0.26 in its code).
    * ``pow``: ``(1 - max of the scores) ** value``.  The base is at most 1, so
      a large exponent means a weak background.
    * ``score``: the background has a map of its own among the scores, with
      id 0, as after a refinement.

    Args:
        mode: ``'const'``, ``'pow'`` or ``'score'``.
        value: The threshold, 0 to 1, or the exponent, above 0; None for ``score``.

    Raises:
        InvalidInputError: An argument is out of range.

    Source: Wang et al., SEAM, CVPR 2020; the exponents are those of AffinityNet
    (Ahn and Kwak, CVPR 2018).
    """

    def __init__(self, mode: str = 'const', value: float | None = None) -> None:
        check_values('background', dict(mode=mode), dict(mode=one_of(*VALUES)))
        check_values('background', dict(value=value), dict(value=VALUES[mode]))
        self.mode, self.value = mode, value

    @classmethod
    def of(cls, settings: Any, where: str) -> 'BackgroundRule':
        """Return the rule that a mapping ``{mode, value}`` describes; ``value`` may be missing.

        Args:
            settings: The mapping.
            where: Its name in errors.

        Raises:
            InvalidInputError: It has other keys, or a value is out of range.
        """
        if (
            not isinstance(settings, Mapping)
            or 'mode' not in settings
            or set(settings) - {'mode', 'value'}
        ):
            raise expected(where, settings, 'dict(mode=…, value=…)')
        try:
            return cls(**settings)
        except InvalidInputError as error:
            raise InvalidInputError(f'{where}: {error}') from None

    def as_meta(self) -> dict[str, Any]:
        """Return the rule as ``meta.json`` of the pseudo-labels holds it: ``{mode, value}``."""
        return dict(mode=self.mode, value=self.value)

    def background(self, scores: Tensor) -> Tensor:
        """Return the background's score in each pixel, for ``const`` and ``pow``.

        Args:
            scores: ``(k, H, W)`` of 0 to 1, without the background; k may be 0.

        Returns:
            ``(1, H, W)``.

        Raises:
            ValueError: The mode is ``score``.
        """
        best = (
            scores.amax(0, keepdim=True) if len(scores) else scores.new_zeros(1, *scores.shape[1:])
        )
        if self.value is None:
            raise ValueError("mode 'score' has no formula for the background")
        return (
            torch.full_like(best, self.value)
            if self.mode == 'const'
            else ((1 - best) ** self.value)
        )

    def label_map(
        self, ids: Sequence[int], scores: Tensor, uncertain: float | None = None
    ) -> Tensor:
        """Return the best class of each pixel.

        Args:
            ids: k dataset ids of the maps; with ``score``, 0 first.
            scores: ``(k, H, W)`` of 0 to 1; not changed.
            uncertain: 0 to 1; a pixel becomes 255 if the score of its best class
                differs from the background's by less than this.  None for no such pixels.

        Returns:
            uint8 ``(H, W)`` of dataset ids; 0 where no class has a higher score
            than the background.

        Raises:
            InvalidInputError: ``uncertain`` is out of range.
        """
        check_values('inference', dict(uncertain=uncertain), UNCERTAIN)
        own_map = self.mode == 'score'
        if len(ids) <= own_map:  # no class
            return torch.zeros(scores.shape[1:], dtype=torch.uint8, device=scores.device)
        if own_map:
            background, classes, ids = scores[0], scores[1:], ids[1:]
        else:
            background, classes = self.background(scores)[0], scores
        best, position = classes.max(0)
        names = torch.as_tensor(list(ids), dtype=torch.uint8, device=scores.device)
        label = torch.where(best > background, names[position], 0)
        if uncertain is not None:
            label[(best - background).abs() < uncertain] = VOID
        return label
