"""What goes into a checkpoint: weights and plain data."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from incseg.errors import NonFiniteLossError


def network_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return a network's ``state_dict`` as files save it: without a target labeller's weights."""
    weights = model.state_dict()
    return {name: weights[name] for name in weights if not name.startswith('target_labeller.')}


def plain(value: Any) -> Any:
    """Return a value as checkpoints store it: dicts, lists, numbers, and tensors on the CPU.

    Args:
        value: Nested dicts, lists and tuples (which become lists); scalars of numpy become
            numbers, another value stays as it is.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, 'item'):  # a numpy scalar
        return value.item()
    return value


def plain_settings(value: Any) -> Any:
    """Return a config, or a part of one, in dicts, lists, tuples and built-in values.

    A value of another kind becomes its text; a scalar of numpy becomes a number.
    """
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, (int, float, bool, type(None))) else str(key): (
                plain_settings(item)
            )
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        items = [plain_settings(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if value is None or type(value) in (bool, int, float, str):
        return value
    if hasattr(value, 'item') and getattr(value, 'size', 1) == 1:
        return value.item()
    if hasattr(value, 'tolist'):
        return value.tolist()
    return value if isinstance(value, bool) else repr(value) if callable(value) else str(value)


def check_finite(state_dict: dict[str, torch.Tensor], where: str) -> None:
    """Refuse weights that are NaN or infinite.

    Args:
        state_dict: The weights by name.
        where: When they were found, for the message, such as "at the end of step 3".

    Raises:
        NonFiniteLossError: Naming the first such weight.
    """
    broken = [name for name, value in state_dict.items() if not bool(value.isfinite().all())]
    if broken:
        raise NonFiniteLossError(f'{broken[0]} is not finite {where}: lower the learning rate')
