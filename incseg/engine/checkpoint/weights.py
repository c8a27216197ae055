"""Weights of a checkpoint as they enter a network."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from incseg.engine.checkpoint.content import network_weights
from incseg.errors import InvalidInputError
from incseg.utils.content_digest import odd_tensor
from incseg.utils.rules import expected
from incseg.utils.tensor_files import FilePath


def check_tensors(
    state_dict: Mapping[str, Any], own: Mapping[str, torch.Tensor], path: FilePath
) -> None:
    """Refuse weights of another dtype than the network's, and such as are no numbers.

    Args:
        state_dict: The weights of a file.
        own: The weights of the network; a name that it lacks is not compared.
        path: The file, for the message.

    Raises:
        InvalidInputError: Naming the first weight that is no dense tensor (sparse, quantised, on
            the meta device), has another dtype, or holds NaN or infinity.
    """
    for name, value in state_dict.items():
        what, wanted = odd_tensor(value), 'a dense tensor'
        if what is None and name in own and value.dtype != own[name].dtype:
            what, wanted = str(value.dtype), f"{own[name].dtype}, the network's"
        elif what is None and not bool(value.isfinite().all()):
            what, wanted = 'not finite', 'finite numbers'
        if what is not None:
            raise InvalidInputError(f'checkpoint {path}: {name} is {what}, expected {wanted}')


def load_weights(model: nn.Module, state_dict: dict[str, Any], path: FilePath) -> None:
    """Load weights into a network that has exactly these names, shapes and dtypes.

    Args:
        model: The network; it is changed.
        state_dict: The weights by name.
        path: Their file, for the message.

    Raises:
        InvalidInputError: A name, shape or dtype differs, or a weight is no number; names the
            first.
    """
    for name, value in state_dict.items():
        if not isinstance(value, torch.Tensor):
            check_tensors({name: value}, {}, path)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    theirs = {name: value.shape for name, value in state_dict.items()}
    wrong = [name for name in {**shapes, **theirs} if shapes.get(name) != theirs.get(name)]
    if wrong:
        raise InvalidInputError(
            f'checkpoint {path} does not fit the network of the config: {wrong[0]}'
            + (f' and {len(wrong) - 1} more' if len(wrong) > 1 else '')
        )
    check_tensors(state_dict, model.state_dict(), path)
    model.load_state_dict(state_dict)


def load_previous(model: nn.Module, state_dict: dict[str, Any], path: FilePath) -> None:
    """Copy the network of the previous step into that of a step, in place.

    The network says how the weights enter it (``adapt_previous``) and which of its own are new
    (``new_parameter_names``); a labeller that is trained too starts anew.

    Args:
        model: The network of the step, an ``EncoderDecoder``; it is changed.
        state_dict: The previous step's weights by name.
        path: Their file, for the message.

    Raises:
        InvalidInputError: A name or shape does not fit, or a weight that is not new is missing.
    """
    network: Any = model
    state = network.adapt_previous(dict(state_dict))
    if not isinstance(state, dict):
        raise expected(f'the result of {type(model).__name__}.adapt_previous', state, 'a dict')
    own, new = network_weights(model), set(network.new_parameter_names())
    wrong = [name for name in state if name not in own or own[name].shape != state[name].shape]
    wrong += [name for name in own if name not in state and name not in new]
    if wrong:
        why = 'missing' if wrong[0] not in state else 'unknown or of another shape'
        raise InvalidInputError(
            f'checkpoint {path} of the previous step does not fit the network: {wrong[0]} is {why}'
        )
    check_tensors(state, own, path)
    model.load_state_dict(state, strict=False)
