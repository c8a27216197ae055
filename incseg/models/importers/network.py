"""A network of another library: its config here, and where each of its tensors belongs."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from incseg.models.data_preprocessor import MEAN, STD

State = dict[str, Tensor]


@dataclass(frozen=True)
class SourceNetwork:
    """What is known of a network of another library.

    Attributes:
        model: Its config here: backbone and heads, without losses.
        rules: ``(pattern, name)``: the first pattern that matches the beginning of a tensor's
            name replaces what it matches, as :func:`re.sub` does; other names stay.
        unused: Patterns of the beginnings of names, here, of tensors that no prediction needs.
        finish: What is done to the renamed tensors, for parts that are cut otherwise here.
        mean, std: Scaling of the pixels, 0 to 255, in the channel order of the network.
        bgr: Whether the network takes the channels blue, green, red.
    """

    model: Mapping[str, Any]
    rules: Sequence[tuple[str, str]] = ()
    unused: Sequence[str] = ()
    finish: Callable[[State], State] = field(default=dict)
    mean: Sequence[float] = MEAN
    std: Sequence[float] = STD
    bgr: bool = False

    def renamed(self, state: Mapping[str, Tensor]) -> State:
        """Return a state dict under the names of the library, without the unused tensors.

        Args:
            state: Tensors by the names of the source.
        """
        named = {apply_rules(name, self.rules): value for name, value in state.items()}
        return self.finish(
            {
                name: value
                for name, value in named.items()
                if not any(re.match(pattern, name) for pattern in self.unused)
            }
        )


def apply_rules(name: str, rules: Sequence[tuple[str, str]]) -> str:
    """Return a name after the first rule whose pattern matches its beginning.

    Args:
        name: The name of a tensor.
        rules: ``(pattern, replacement)``, see :class:`SourceNetwork`.
    """
    for pattern, replacement in rules:
        if found := re.match(pattern, name):
            return found.expand(replacement) + name[found.end() :]
    return name


def has(state: Mapping[str, Tensor], prefix: str) -> bool:
    """Say whether the name of a tensor begins with ``prefix``."""
    return any(name.startswith(prefix) for name in state)
