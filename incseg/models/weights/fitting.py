"""Weights of a file or package as they enter a backbone."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from incseg.errors import InvalidInputError

#: names that a message shows
SHOWN = 5


def load_fitting(net: nn.Module, state: Mapping[str, Tensor], source: str, name: str) -> list[str]:
    """Load every weight of a backbone from a state dict that may hold more.

    Args:
        net: The backbone's network; it is changed.
        state: Tensors by the network's own names.  Counters of batches may be missing.
        source: Where they come from, for the message.
        name: Name of the network, for the message.

    Returns:
        The names in ``state`` that the network does not have, as those of a classifier.

    Raises:
        InvalidInputError: A weight is missing or has another shape; names the first ones.
    """
    own = net.state_dict()
    missing = [
        name for name in own if name not in state and not name.endswith('num_batches_tracked')
    ]
    shared = [name for name in own if name in state]
    wrong = [
        f'{name} is {list(state[name].shape)}, not {list(own[name].shape)}'
        for name in shared
        if state[name].shape != own[name].shape
    ]
    if missing or wrong:
        problems = [*wrong, *(f'{name} is missing' for name in missing)]
        left = [name for name in state if name not in own]
        hint = f'; it has {few(left)} instead' if missing and left else ''
        raise InvalidInputError(f'{source} does not fit: {few(problems)} for {name}{hint}')
    net.load_state_dict({name: state[name] for name in shared}, strict=False)
    return [name for name in state if name not in own]


def few(items: Sequence[str]) -> str:
    """Return the first items in words, and how many more there are."""
    more = f' and {len(items) - SHOWN} more' if len(items) > SHOWN else ''
    return ', '.join(items[:SHOWN]) + more
