"""Files of weights of other libraries, and the classes that they name."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models.weights.files import is_safetensors, network_state, read_safetensors
from incseg.utils.tensor_files import FilePath, read_verified

#: forms of networks that hold a program, by the suffix of their file
PROGRAMS = {
    '.onnx': 'an ONNX graph',
    '.pb': 'a graph of TensorFlow or ONNX',
    '.tflite': 'a graph of TensorFlow Lite',
    '.h5': 'a network of Keras',
    '.keras': 'a network of Keras',
}
ADVICE = "torch.save(network.state_dict(), 'weights.pth'), where you trust it"


class Skipped:
    """Stands for an object that is not loaded, as the history of a log."""

    def __init__(self, *arguments: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


#: what mmengine pickles of the log of a training; none of it is called
OF_LOGS = (
    'mmengine.logging.history_buffer.HistoryBuffer',
    'builtins.getattr',
    'numpy.ndarray',
    'numpy.dtype',
    'numpy._core.multiarray._reconstruct',
    'numpy.core.multiarray._reconstruct',
    'numpy._core.multiarray.scalar',
    'numpy.core.multiarray.scalar',
)


@dataclass(frozen=True)
class SourceFile:
    """What a file of another library holds.

    Attributes:
        state: Tensors on the CPU by name, without the beginnings that wrappers add.
        classes: Names of the outputs, in their order, if the file says them.
        palette: Their colours, ``[r, g, b]`` each, likewise.
    """

    state: dict[str, Tensor]
    classes: list[str] | None = None
    palette: list[list[int]] | None = None


def read_source_file(path: FilePath) -> SourceFile:
    """Read the weights of a network; nothing but tensors and plain data is loaded.

    Args:
        path: A file of ``torch.save``: a state dict, or a checkpoint that holds one; or one of
            safetensors.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It is damaged, holds a program or no state dict, or is a checkpoint of
            this library.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f'no checkpoint at {path}')
    if path.suffix.lower() in PROGRAMS:
        raise InvalidInputError(
            f'{path} is {PROGRAMS[path.suffix.lower()]}, expected a state dict of PyTorch: {ADVICE}'
        )
    content = read_safetensors(path) if is_safetensors(path) else _content(path)
    state = network_state(content, path)
    meta = content.get('meta') if isinstance(content, Mapping) else None
    return SourceFile(state, *_classes(meta if isinstance(meta, Mapping) else {}))


def _content(path: Path) -> Any:
    """Load what a file of ``torch.save`` holds; the history of a log is left out."""
    if is_script(path):
        raise InvalidInputError(
            f'{path} is a network of TorchScript, expected a state dict of PyTorch: {ADVICE}'
        )
    stubs: list[Any] = [(Skipped, name) for name in OF_LOGS]
    try:
        with torch.serialization.safe_globals(stubs):
            return read_verified(path)[0]
    except InvalidInputError as error:
        if 'could run code' not in str(error):
            raise
        raise InvalidInputError(
            f'{error}; it may be a whole pickled network: save its weights instead, {ADVICE}'
        ) from error


def is_script(path: Path) -> bool:
    """Say whether a file is an archive of TorchScript."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith('/constants.pkl') for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _classes(meta: Mapping[str, Any]) -> tuple[list[str] | None, list[list[int]] | None]:
    """Return the classes and the palette that mmengine's ``meta`` has, if it has them."""
    inner = meta.get('dataset_meta')
    known = {**meta, **(inner if isinstance(inner, Mapping) else {})}
    known = {key.lower(): value for key, value in known.items() if isinstance(key, str)}
    classes, palette = known.get('classes'), known.get('palette')
    if not _is_list(classes) or not all(isinstance(name, str) for name in classes):
        return None, None
    if not _is_list(palette) or len(palette) != len(classes):
        return list(classes), None
    if not all(_is_list(each) and len(each) == 3 for each in palette):
        return list(classes), None
    return list(classes), [[int(value) for value in each] for each in palette]


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)
