"""Files of weights of timm, torchvision and mmpretrain."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.tensor_files import FilePath, kind_of, read_verified

#: keys under which training codes keep the weights of a network, the averaged ones first
INSIDE = (
    'state_dict_ema',
    'model_ema',
    'state_dict',
    'model_state_dict',
    'model',
    'model_state',
    'net',
    'network',
)
#: beginnings that wrappers (DDP, torch.compile, Lightning) add to all names
WRAPPERS = ('module.', '_orig_mod.', 'model.', 'net.')
#: beginnings of the names of a backbone beside others: DDP's, and those of mmengine's family
PLACES = ('module.', 'backbone.')


def read_weights(path: FilePath) -> dict[str, Tensor]:
    """Read a state dict; nothing but tensors and plain data is loaded.

    Args:
        path: A file of ``torch.save`` or ``*.safetensors``: the state dict itself, or a
            checkpoint that holds one.

    Returns:
        Tensors on the CPU by name, in the file's order; beginnings that wrappers add and
        mmpretrain's ``'backbone.'`` are taken off.

    Raises:
        MissingFileError: If there is no such file.
        InvalidInputError: If the file cannot be read, holds no state dict, or is a checkpoint of
            this library.
    """
    if not Path(path).is_file():
        raise MissingFileError(f'pretrained: no file of weights at {path}')
    content = read_safetensors(path) if is_safetensors(path) else read_verified(path)[0]
    state = network_state(content, path)
    for place in PLACES:
        if any(name.startswith(place) for name in state):
            state = {name.removeprefix(place): value for name, value in state.items()}
    return state


def network_state(content: Any, path: FilePath) -> dict[str, Tensor]:
    """Return the state dict that a file of another library holds.

    Args:
        content: What was loaded: the state dict itself, or a checkpoint with one in it.
        path: The file, for messages.

    Returns:
        Tensors by name, without the beginnings that wrappers added to all names.

    Raises:
        InvalidInputError: It holds none, or is a checkpoint of this library.
    """
    kind = kind_of(dict(content)) if isinstance(content, Mapping) else None
    if kind is not None and (kind != 'resume' or 'kind' in content['meta']):  # else mmengine's
        raise InvalidInputError(
            f'{path} is a checkpoint of incseg already: incseg train CONFIG --start {path} '
            'takes a step_0/final.pth as it is'
        )
    state = content
    for key in INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            state = content[key]
            break
    tensors = {
        name: value
        for name, value in (state.items() if isinstance(state, Mapping) else ())
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if not tensors:
        raise InvalidInputError(f'{path} holds no state dict, which is tensors by name')
    return unwrapped(tensors)


def unwrapped(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict without the beginnings that wrappers added to all of its names."""
    state = dict(state)
    while wrapper := next(
        (each for each in WRAPPERS if all(n.startswith(each) for n in state)), ''
    ):
        state = {name.removeprefix(wrapper): value for name, value in state.items()}
    return state


def is_safetensors(path: FilePath) -> bool:
    """Return whether a file's name says that it is of the format of safetensors."""
    return Path(path).suffix == '.safetensors'


def read_safetensors(path: FilePath) -> dict[str, Tensor]:
    """Read a file of safetensors.

    Raises:
        InvalidInputError: It is damaged, or safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise InvalidInputError(f"{path} needs safetensors: pip install 'incseg[timm]'") from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InvalidInputError(f'{path} is no file of safetensors: {error}') from error
