"""The classes in a mask: a missed pixel takes an image from the step it belongs to."""

import re

import numpy as np
import pytest
from PIL import Image

from incseg.errors import InvalidInputError
from incseg.protocols.label_scan import classes_in


def read_mask(path):
    with Image.open(path) as mask:
        return np.asarray(mask)


def read_int32(path):
    return read_mask(path).astype(np.int32)


def read_nothing(path):
    return None


def read_tiles(path):
    return np.stack([read_mask(path).T, read_mask(path).T]).transpose(0, 2, 1)


def read_empty(path):
    return np.zeros((0, 4), np.uint8)


def test_corner_pixels_count(tmp_path, scan):
    """Ids are found by where runs start: the first and the last pixel must not be missed."""
    files = []
    for name, mask in {
        'first': [[1, 0], [0, 0]],
        'last': [[0, 0], [0, 2]],
        'one': [[3]],
        'void': [[255, 255]],
        'line end': [[0, 4], [0, 0]],
    }.items():
        files.append(tmp_path / f'{name}.png')
        Image.fromarray(np.array(mask, np.uint8)).save(files[-1])
    expected = [[0, 1], [0, 2], [3], [], [0, 4]]
    assert [np.flatnonzero(row).tolist() for row in scan(files).presence] == expected


def test_any_shape_and_layout(masks, scan, brute_force):
    assert (scan(masks, read_tiles).presence == brute_force(masks)).all()
    assert not scan(masks, read_empty).presence.any()


@pytest.mark.parametrize('count', [12, 80])
@pytest.mark.parametrize('num_classes', [3, 6])
def test_ids_outside_the_data_set(tmp_path, scan, count, num_classes, make_masks):
    files = make_masks(tmp_path / 'labels', count)
    mask = np.array([[0, 9, 255], [2, 200, 1]], np.uint8)
    Image.fromarray(mask).save(files[7])
    message = f'{files[7]}: holds id 9, 200, expected 0 to 8 or 255 (void)'
    with pytest.raises(InvalidInputError, match=f'^{re.escape(message)}$'):
        scan(files, num_classes=8, num_workers=2)
    with pytest.raises(InvalidInputError, match=rf'expected 0 to {num_classes} or 255 \(void\)$'):
        scan(files, num_classes=num_classes, num_workers=2)


@pytest.mark.parametrize(
    ('read', 'got'), [(read_int32, 'int32'), (read_nothing, 'NoneType')], ids=['int32', 'None']
)
def test_reader_must_give_uint8(masks, scan, read, got):
    with pytest.raises(
        InvalidInputError, match=rf"0000\.png: the dtype .* is '{got}', expected 'uint8'"
    ):
        scan(masks, read)


def test_equals_unique():
    rng = np.random.default_rng(0)
    for shape in [(1,), (7, 1), (3, 4, 5), (), (40, 50)]:
        mask = rng.choice([0, 2, 3, 5, 255], shape).astype(np.uint8)
        row = classes_in(mask, 'mask', 6)
        assert row.dtype == np.bool_ and row.shape == (7,)
        assert np.flatnonzero(row).tolist() == [c for c in np.unique(mask) if c != 255]
    assert classes_in(np.arange(255, dtype=np.uint8), 'mask', 254).all()
