"""Digests of tensors and plain data: equal for equal content, whatever file it lies in."""

import hashlib
import struct
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from incseg.errors import InvalidInputError

#: further values that torch loads without unpickling objects; their text says all of them
BY_TEXT = (complex, torch.dtype, torch.device)


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of named tensors: of names, dtypes, shapes and bytes, in any order.

    Args:
        tensors: Tensors by name, of any device.

    Returns:
        64 hexadecimal digits.

    Raises:
        InvalidInputError: A value is no tensor, or a tensor without bytes of its own: sparse,
            quantised or on the meta device.
    """
    return content_digest({name: tensors[name] for name in sorted(tensors)})


def content_digest(content: Any) -> str:
    """Return the SHA-256 of plain data: dicts, lists, tuples, built-in values and tensors.

    The order of a dict counts, its class does not.

    Args:
        content: Any nesting of these.

    Returns:
        64 hexadecimal digits.

    Raises:
        InvalidInputError: A value is of another type, or a tensor that is sparse, quantised or
            on the meta device.
    """
    sha = hashlib.sha256()
    _feed(sha, content, '')
    return sha.hexdigest()


def _feed(sha: Any, value: Any, key: str) -> None:
    """Hash a value; each begins with its kind and length, so that no two contents look alike."""
    if isinstance(value, Tensor):
        _put(sha, 'tensor', f'{value.dtype} {tuple(value.shape)}'.encode())
        sha.update(_bytes(value, key))
    elif isinstance(value, Mapping):
        _put(sha, 'dict', str(len(value)).encode())
        for name, item in value.items():
            _feed(sha, name, key)
            _feed(sha, item, f'{key}.{name}' if key else str(name))
    elif isinstance(value, list | tuple):
        _put(sha, 'list' if isinstance(value, list) else 'tuple', str(len(value)).encode())
        for item in value:
            _feed(sha, item, key)
    elif isinstance(value, set | frozenset):
        _feed(sha, sorted(content_digest(item) for item in value), key)
    elif isinstance(value, float):
        _put(sha, 'float', struct.pack('<d', value))
    elif isinstance(value, str):
        _put(sha, 'str', value.encode('utf-8', 'surrogatepass'))
    elif isinstance(value, bytes | bytearray):
        _put(sha, 'bytes', bytes(value))
    elif value is None or isinstance(value, (bool, int, *BY_TEXT)):
        _put(sha, type(value).__name__, repr(value).encode())
    else:
        raise InvalidInputError(
            f'{key or "it"} is a {type(value).__name__}, which is no plain data'
        )


def _put(sha: Any, kind: str, content: bytes) -> None:
    sha.update(f'{kind} {len(content)}:'.encode())
    sha.update(content)


def _bytes(tensor: Tensor, key: str) -> Any:
    """Return the bytes of a tensor, as a buffer."""
    if what := odd_tensor(tensor):
        raise InvalidInputError(f'{key or "it"} is {what}, expected a dense tensor')
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy() if flat.numel() else b''


def odd_tensor(value: Any) -> str | None:
    """Return in words why a value is no dense tensor with values; None if it is one."""
    if not isinstance(value, Tensor):
        return f'a {type(value).__name__}'
    if value.layout is not torch.strided:
        return 'a sparse tensor'
    if value.is_meta:
        return 'a tensor on the meta device, without values'
    return 'a quantised tensor' if value.is_quantized else None
