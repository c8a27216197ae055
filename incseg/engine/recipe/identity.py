"""Fingerprints of everything that shapes the result of a training."""

import hashlib
import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import get_world_size

from incseg import __version__
from incseg.registry import DATASETS, HOOKS, MODELS, TRANSFORMS
from incseg.utils.file_digests import digest_of


def config_hash(shape: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that differ where the result of a training would differ.

    The hash covers ``shape``, the source code of registered types from outside the
    library, the versions of the library and of torch, the kind of device and the
    number of processes.

    Args:
        shape: All settings that shape the result, as nested dicts and lists.
    """
    whole = {
        **shape,
        'sources': foreign_sources(shape),
        'torch': torch.__version__,
        'device': get_device(),
        'world_size': get_world_size(),
        'version': __version__,
    }
    return digest(whole)


def digest(data: Any) -> str:
    """Return a hash of plain data, 16 hexadecimal digits; the order of keys does not matter.

    Args:
        data: Nested dicts and lists; a value that JSON does not know counts by its repr.
    """
    text = json.dumps(data, sort_keys=True, default=describe)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def describe(value: Any) -> Any:
    """Turn a value that JSON does not know into a dict if it is a mapping, else into its repr."""
    return dict(value) if isinstance(value, Mapping) else repr(value)


def foreign_sources(part: Any) -> dict[str, str]:
    """Return the SHA-256 of the source file of every type in a config from outside the library.

    Args:
        part: A config or a part of one; types are the strings at its keys ``type``.

    Returns:
        64 hexadecimal digits by the name of the type.
    """
    if isinstance(part, (list, tuple)):
        return {key: value for item in part for key, value in foreign_sources(item).items()}
    if not isinstance(part, Mapping):
        return {}
    sources = foreign_sources(list(part.values()))
    name = part.get('type')
    if not isinstance(name, str):
        return sources
    for registry in (MODELS, DATASETS, TRANSFORMS, HOOKS):
        kind = registry.get(name)
        module = getattr(kind, '__module__', '')
        if module and module.partition('.')[0] not in ('incseg', 'mmengine', 'mmcv', 'torch'):
            source = Path(inspect.getfile(kind)).read_bytes()
            sources[name] = hashlib.sha256(source).hexdigest()
    return sources


def named_files(part: Any) -> dict[str, str]:
    """Find every file whose path is a string anywhere in a part of a config.

    A missing file is left out; its reader reports it.  The name of a part (``type``)
    is not a path.

    Args:
        part: A string, or nested dicts and lists.

    Returns:
        The SHA-256 of the content of each file, by its path.

    Raises:
        InvalidInputError: A file cannot be read.
    """
    if isinstance(part, str):
        return {part: file_sha(part)} if os.path.isfile(part) else {}
    if isinstance(part, Mapping):
        part = [value for key, value in part.items() if key != 'type']
    if not isinstance(part, (list, tuple)):
        return {}
    return {path: sha for item in part for path, sha in named_files(item).items()}


def file_sha(path: str | os.PathLike) -> str:
    """Return the SHA-256 of the content of a file, 64 hexadecimal digits.

    Raises:
        InvalidInputError: The file cannot be read.
    """
    return digest_of(path).hex()
