"""Reads files of named arrays that mxnet wrote (``.params``), without mxnet.

All numbers are little-endian.  A file is: uint64 0x112; uint64 reserved; uint64
number of arrays; the arrays; uint64 number of names; each name as uint64 length
and bytes.

An array starts with a uint32 that tells its version:

* 0xF993FAC9 (V2) and 0xF993FACA (V3): int32 storage type (0: dense), uint32
  number of dimensions, each dimension as int64;
* 0xF993FAC8 (V1): the same without a storage type;
* anything else: it is the number of dimensions itself, each one a uint32.

Then follow int32 device type, int32 device number, int32 type of the values,
and the values.  An array without dimensions is empty and ends there, but for
V3, where it is one value, and -1 dimensions are an empty one.
"""

import math
import os
import struct
from typing import BinaryIO

import numpy as np

from incseg.errors import InvalidInputError, MissingFileError

FILE_MAGIC = 0x112
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
DTYPES = {0: '<f4', 1: '<f8', 2: '<f2', 3: 'u1', 4: '<i4', 5: 'i1', 6: '<i8', 7: '?'}
#: more dimensions than any array has: the file is something else
MAX_DIMENSIONS = 32


def read_mxnet_params(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Every array of the file by its name; empty ones are left out.

    Args:
        path: The file.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It is no such file, cut short, or has an array that
            is sparse or of an unknown type.
    """
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            size = os.fstat(file.fileno()).st_size
            if _number(file, 'Q') != FILE_MAGIC:
                raise ValueError('it does not start with 0x112')
            _number(file, 'Q')
            arrays = [_array(file, size) for _ in range(_number(file, 'Q'))]
            names = [
                _read(file, _number(file, 'Q'), size).decode() for _ in range(_number(file, 'Q'))
            ]
    except FileNotFoundError as error:
        raise MissingFileError(f'no .params file at {path}') from error
    except struct.error as error:
        raise InvalidInputError(f'{path} is no .params file of mxnet: it is cut short') from error
    except (OSError, ValueError) as error:
        raise InvalidInputError(f'{path} is no .params file of mxnet: {error}') from error
    if len(names) != len(arrays):
        raise InvalidInputError(
            f'{path} has {len(arrays)} arrays but {len(names)} names; allowed is a name for each'
        )
    return {name: array for name, array in zip(names, arrays) if array is not None}


def _array(file: BinaryIO, size: int) -> np.ndarray | None:
    version = _number(file, 'I')
    if version in (V2, V3) and (storage := _number(file, 'i')) != 0:
        raise ValueError(f'an array has storage type {storage}; allowed is 0, dense')
    dimensions = _number(file, 'i') if version in (V1, V2, V3) else version
    if dimensions < (0 if version == V3 else 1):
        return None
    if dimensions > MAX_DIMENSIONS:
        raise ValueError(f'an array has {dimensions} dimensions')
    kind = 'q' if version in (V1, V2, V3) else 'I'
    shape = [_number(file, kind) for _ in range(dimensions)]
    _read(file, 8, size)  # the device it was on
    code = _number(file, 'i')
    if code not in DTYPES or min(shape, default=0) < 0:
        raise ValueError(f'an array has values of type {code} and shape {shape}')
    dtype = np.dtype(DTYPES[code])
    content = _read(file, math.prod(shape) * dtype.itemsize, size)
    return np.frombuffer(content, dtype).reshape(shape).copy()


def _number(file: BinaryIO, kind: str) -> int:
    return struct.unpack(f'<{kind}', file.read(struct.calcsize(f'<{kind}')))[0]


def _read(file: BinaryIO, length: int, size: int) -> bytes:
    if length > size - file.tell():
        raise ValueError('it is cut short')
    return file.read(length)
