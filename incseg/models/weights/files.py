"""Files of weights of timm, torchvision and mmpretrain."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.tensor_files import FilePath, read_verified

#: keys under which training codes keep the weights of a network, the averaged ones first
INSIDE = ('state_dict_ema', 'model_ema', 'state_dict', 'model')
#: beginnings of names that wrappers add: DDP's, and the place of a backbone in mmpretrain
WRAPPERS = ('module.', 'backbone.')


def read_weights(path: FilePath) -> dict[str, Tensor]:
    """Read a state dict; nothing but tensors and plain data is loaded.

    Args:
        path: A file of ``torch.save`` or ``*.safetensors``: the state dict itself, or a
            checkpoint that holds one.

    Returns:
        Tensors on the CPU by name, in the file's order; beginnings such as ``'module.'`` and
        mmpretrain's ``'backbone.'`` are taken off.

    Raises:
        MissingFileError: If there is no such file.
        InvalidInputError: If the file cannot be read, or holds no state dict.
    """
    if not Path(path).is_file():
        raise MissingFileError(f'pretrained: no file of weights at {path}')
    state: Any = read_safetensors(path) if is_safetensors(path) else read_verified(path)[0]
    for key in INSIDE:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
            break
    tensors = {
        name: value
        for name, value in (state.items() if isinstance(state, Mapping) else ())
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if not tensors:
        raise InvalidInputError(f'{path} holds no state dict, which is tensors by name')
    return without_wrappers(tensors)


def without_wrappers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict without the beginnings of names that wrappers add.

    Args:
        state: Tensors by name.  Where some names begin with ``'backbone.'``, as in mmpretrain's
            checkpoints, the others (neck, head) keep theirs.
    """
    state = dict(state)
    for wrapper in WRAPPERS:
        if any(name.startswith(wrapper) for name in state):
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
