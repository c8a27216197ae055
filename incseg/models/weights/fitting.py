"""Weights of a file or package as they enter a backbone."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from torch import Tensor, nn

from incseg.errors import InvalidInputError

#: names that a message shows
SHOWN = 5
#: types of what stands where a network has no layer
ABSENT = (type(None), nn.Identity)


def load_fitting(
    net: nn.Module,
    state: Mapping[str, Tensor],
    source: str,
    name: str,
    whole: Collection[str] | None = (),
) -> list[str]:
    """Load every weight of a backbone from a state dict that may hold more.

    Args:
        net: The backbone's network; it is changed.
        state: Tensors by the network's own names.  Counters of batches may be missing.
        source: Where they come from, for the message.
        name: Name of the network, for the message.
        whole: Names that the network had before its last layers were cut; None where nobody
            knows whether some were.

    Returns:
        The names in ``state`` that the network does not have, as those of a classifier.

    Raises:
        InvalidInputError: A weight is missing or has another shape, or ``state`` is that of a
            network with more layers; names the first ones.
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
    left = [name for name in state if name not in own]
    if missing or wrong:
        problems = [*wrong, *(f'{name} is missing' for name in missing)]
        hint = f'; it has {few(left)} instead' if missing and left else ''
        raise InvalidInputError(f'{source} does not fit: {few(problems)} for {name}{hint}')
    foreign = foreign_layer(
        net, [each for each in left if each not in (whole or ())], whole is None
    )
    if foreign is not None:
        tensor, why = foreign
        raise InvalidInputError(f'{source} does not fit: it has {tensor}, {name} {why}')
    net.load_state_dict({name: state[name] for name in shared}, strict=False)
    return left


def foreign_layer(net: nn.Module, left: Iterable[str], cut: bool) -> tuple[str, str] | None:
    """Find a tensor whose layer lies in a numbered list of the network, which does not have it.

    So heads pass, and so do tensors that a layer of the network does without, as the
    statistics of a norm.

    Args:
        net: The network.
        left: Names of tensors that it does not have.
        cut: Whether the end of the list that ends the network may have been cut off.

    Returns:
        The first such name, and in words what the network has; None if there is none.
    """
    modules = dict(net.named_modules())
    lists = {}
    for name, module in modules.items():
        numbers = [number for number, _ in module.named_children()]
        if numbers and all(number.isdigit() for number in numbers):
            lists[name] = max(map(int, numbers))
    last = ['', *(name for name, _ in net.named_parameters())][-1]
    for name in left:
        parts = name.split('.')[:-1]
        layers = ['.'.join(parts[:i]) for i in range(1, len(parts) + 1)]
        inside = next((layer for layer in layers if layer in lists), None)
        lacking = next((layer for layer in layers if type(modules.get(layer)) in ABSENT), None)
        if inside is None or lacking is None or not lacking.startswith(f'{inside}.'):
            continue
        around, _, number = lacking.rpartition('.')
        if around not in lists or not number.isdigit() or int(number) <= lists[around]:
            return name, f'has no {lacking}: of another network?'
        if not (cut and around == inside and last.startswith(f'{around}.')):
            return name, f'ends at {around}.{lists[around]}: of a deeper network?'
    return None


def few(items: Sequence[str]) -> str:
    """Return the first items in words, and how many more there are."""
    more = f' and {len(items) - SHOWN} more' if len(items) > SHOWN else ''
    return ', '.join(items[:SHOWN]) + more
