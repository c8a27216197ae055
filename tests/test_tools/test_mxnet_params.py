"""Files written here, byte by byte, as the format's description has them."""

import struct

import numpy as np
import pytest

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models.weights.converters.mxnet_params import read_mxnet_params

CODES = {'float32': 0, 'float64': 1, 'float16': 2, 'uint8': 3, 'int32': 4, 'int8': 5, 'int64': 6}


def array_bytes(array, version):
    """One dense array on the CPU (device type 1, number 0)."""
    shape = array.shape
    dims = struct.pack(f'<i{len(shape)}q', len(shape), *shape)
    head = {
        'legacy': struct.pack(f'<{1 + len(shape)}I', len(shape), *shape),
        'V1': struct.pack('<I', 0xF993FAC8) + dims,
        'V2': struct.pack('<Ii', 0xF993FAC9, 0) + dims,
        'V3': struct.pack('<Ii', 0xF993FACA, 0) + dims,
    }[version]
    return head + struct.pack('<iii', 1, 0, CODES[array.dtype.name]) + array.tobytes()


def file_bytes(arrays, names):
    content = struct.pack('<QQQ', 0x112, 0, len(arrays)) + b''.join(arrays)
    content += struct.pack('<Q', len(names))
    for name in names:
        content += struct.pack('<Q', len(name)) + name.encode()
    return content


def write(path, arrays, version='V2', names=None):
    """A whole file; also used by the tests of the conversion."""
    blobs = [array_bytes(array, version) for array in arrays.values()]
    path.write_bytes(file_bytes(blobs, list(arrays) if names is None else names))
    return path


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        'arg:conv_weight': rng.normal(size=(2, 3, 1, 4)).astype(np.float32),
        'aux:mean': rng.normal(size=5),
        'half': np.array([1.5, -2], np.float16),
        'byte': np.array([[200, 3]], np.uint8),
        'int': np.array([-7, 1 << 30], np.int32),
        'small': np.array([-3], np.int8),
        'long': np.array([1 << 40], np.int64),
    }


@pytest.mark.parametrize('version', ['legacy', 'V1', 'V2', 'V3'])
def test_every_version(version, arrays, tmp_path):
    """Names, shapes, types and values, whatever the version of mxnet that wrote them."""
    read = read_mxnet_params(write(tmp_path / 'a.params', arrays, version))
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype and np.array_equal(read[name], array), name


def test_versions_may_be_mixed_and_arrays_empty(tmp_path):
    """Each array says its own version; one without dimensions is skipped, with its name."""
    one = np.arange(3, dtype=np.float32)
    blobs = [
        struct.pack('<I', 0),
        array_bytes(one, 'V1'),
        struct.pack('<Iii', 0xF993FAC9, 0, 0),
        struct.pack('<Iii', 0xF993FACA, 0, -1),
        array_bytes(one[0].reshape(()), 'V3'),
    ]
    path = tmp_path / 'a.params'
    path.write_bytes(file_bytes(blobs, ['a', 'b', 'c', 'd', 'e']))
    read = read_mxnet_params(path)
    assert list(read) == ['b', 'e'] and np.array_equal(read['b'], one)
    assert read['e'].shape == () and read['e'] == 0


def test_cut_short(arrays, tmp_path):
    """Cut anywhere, the file is refused; nothing is made up."""
    whole = write(tmp_path / 'a.params', arrays).read_bytes()
    path = tmp_path / 'b.params'
    for length in (0, 5, 20, 30, 60, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidInputError, match='b.params is no .params file.*cut short'):
            read_mxnet_params(path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'PK\x03\x04' + b'\0' * 60, 'does not start with 0x112'),
        (file_bytes([struct.pack('<Ii', 0xF993FAC9, 1)], ['a']), 'storage type 1; allowed is 0'),
        (file_bytes([struct.pack('<III', 1, 4, 1) + struct.pack('<ii', 0, 9)], ['a']), 'type 9'),
        (file_bytes([struct.pack('<I', 5000)], ['a']), '5000 dimensions'),
        (
            file_bytes(
                [struct.pack('<IiqqQ', 0xF993FAC8, 2, 1 << 40, 1 << 20, 1) + b'\0' * 4], ['a']
            ),
            'cut short',
        ),
        (file_bytes([array_bytes(np.ones(2, np.float32), 'V2')], []), '1 arrays but 0 names'),
    ],
)
def test_other_files(content, message, tmp_path):
    """One line that says what is wrong; a size that is a lie asks for no memory."""
    path = tmp_path / 'a.params'
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        read_mxnet_params(path)


def test_missing(tmp_path):
    """No file at all."""
    with pytest.raises(MissingFileError, match='no .params file at .*none'):
        read_mxnet_params(tmp_path / 'none')
