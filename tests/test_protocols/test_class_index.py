"""The class index: a missed pixel or a wrong row trains a step on the wrong images."""

import re
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.errors import InvalidInputError
from incseg.protocols import ClassIndex, Protocol
from incseg.protocols.label_scan import classes_in

ROOT = Path(__file__).resolve().parents[2]
VOC = ROOT.parent / 'shared' / 'data' / 'voc2012_aug'
CLASSES = 7


def read_mask(path):
    with Image.open(path) as mask:
        return np.asarray(mask)


def test_equals_brute_force(masks, scan, brute_force):
    """If it fails, an image lacks a class that it shows, or has one that it does not show."""
    index = scan(masks)
    expected = brute_force(masks)
    assert index.presence.dtype == np.bool_
    assert (index.presence == expected).all()
    assert index.counts().dtype == np.int64
    assert index.counts().tolist() == expected.sum(0).tolist()
    assert index.files == tuple(masks) and len(index) == 12


def test_order_of_the_list_is_kept_but_not_part_of_the_key(masks, scan, brute_force, calls):
    """If it fails, rows belong to other files, or a shuffled list is scanned again."""
    index = scan(masks)
    calls()
    shuffled = [masks[i] for i in np.random.default_rng(1).permutation(len(masks))]
    again = scan(shuffled)
    assert calls() == []
    assert again.files == tuple(shuffled)
    assert (again.presence == brute_force(shuffled)).all()
    assert again.counts().tolist() == index.counts().tolist()
    twice = scan([masks[3], masks[3], masks[0]])
    assert (twice.presence == brute_force([masks[3], masks[3], masks[0]])).all()


def test_empty_list(scan):
    """If it fails, an empty list of files ends in a traceback."""
    index = scan([])
    assert index.presence.shape == (0, CLASSES + 1) and len(index) == 0


def test_works_with_protocol(masks, scan, brute_force):
    """If it fails, a protocol selects other images than those that show its classes."""
    protocol = Protocol(CLASSES, 4, 2)
    expected = np.flatnonzero(brute_force(masks)[:, [5, 6]].any(axis=1)).tolist()
    assert protocol.select(scan(masks).presence, 1).tolist() == expected


def test_second_scan_reads_nothing(masks, scan, tmp_path, calls):
    """If it fails, every start of a training reads all label files again."""
    first = scan(masks)
    assert sorted(calls()) == masks
    second = scan(masks)
    assert calls() == []
    assert (first.presence == second.presence).all()
    assert [f.suffix for f in (tmp_path / 'cache').iterdir()] == ['.bin']  # nothing left behind


def test_other_class_count_is_read_again(masks, scan, calls):
    """If it fails, a table with another number of columns comes from the cache."""
    assert scan(masks).presence.shape == (12, 8)
    calls()
    assert scan(masks, num_classes=9).presence.shape == (12, 10)
    assert len(calls()) == 12
    scan(masks), scan(masks, num_classes=9)
    assert calls() == []  # side by side, not one in place of the other


def test_silence(tmp_path, scan, capsys, make_masks):
    """If it fails, a scan without progress prints something or warns."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        scan(make_masks(tmp_path / 'labels', 80), num_workers=2)
    assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_classes': 0}, '^num_classes is 0, expected a whole number from 1 to 254$'),
        ({'num_classes': 255}, '^num_classes is 255, '),
        ({'num_classes': True}, '^num_classes is True, '),
        ({'num_workers': -1}, '^num_workers is -1, expected a whole number of at least 0$'),
        ({'num_workers': 1.5}, r'^num_workers is 1\.5, '),
    ],
)
def test_unacceptable_arguments(masks, scan, options, message):
    """If it fails, an argument out of range is not named with its value."""
    with pytest.raises(InvalidInputError, match=message):
        scan(masks, **options)


def test_rows_must_match_files():
    """If it fails, a table of another shape or type passes as a class index."""
    assert len(ClassIndex(['a', 'b'], np.zeros((2, 3), bool))) == 2
    for rows in (np.zeros((3, 3), bool), np.zeros(2, bool), np.zeros((2, 3), np.uint8)):
        with pytest.raises(InvalidInputError, match=r'expected bool and \(2, classes \+ 1\)$'):
            ClassIndex(['a', 'b'], rows)


def test_real_masks(tmp_path, scan):
    """If it fails, the scan of real masks of VOC misses a class or invents one."""
    if not (VOC / 'SegmentationClassAug.zip').is_file():
        pytest.skip(f'needs the VOC masks in {VOC}')
    ids = (VOC / 'train_aug.txt').read_text().split()[:2000:10]
    with zipfile.ZipFile(VOC / 'SegmentationClassAug.zip') as archive:
        files = [archive.extract(f'{name}.png', tmp_path) for name in ids]
    expected = [[c for c in np.unique(read_mask(file)) if c != 255] for file in files]
    index = scan(files, read_mask, num_classes=20, num_workers=2)
    assert [np.flatnonzero(row).tolist() for row in index.presence] == expected


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
    """If it fails, a reader of stacks, of transposed arrays or of nothing breaks the scan."""
    assert (scan(masks, read_tiles).presence == brute_force(masks)).all()
    assert not scan(masks, read_empty).presence.any()


@pytest.mark.parametrize('count', [12, 80])
@pytest.mark.parametrize('num_classes', [3, 6])
def test_ids_outside_the_data_set(tmp_path, scan, count, num_classes, make_masks):
    """If it fails, a foreign id is trained on, or the file is not named."""
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
    """If it fails, a reader of another type breaks the comparison of words without an error."""
    with pytest.raises(
        InvalidInputError, match=rf"0000\.png: the dtype .* is '{got}', expected 'uint8'"
    ):
        scan(masks, read)


def test_equals_unique():
    """If it fails, the fast search differs from numpy.unique for some shape."""
    rng = np.random.default_rng(0)
    for shape in [(1,), (7, 1), (3, 4, 5), (), (40, 50)]:
        mask = rng.choice([0, 2, 3, 5, 255], shape).astype(np.uint8)
        row = classes_in(mask, 'mask', 6)
        assert row.dtype == np.bool_ and row.shape == (7,)
        assert np.flatnonzero(row).tolist() == [c for c in np.unique(mask) if c != 255]
    assert classes_in(np.arange(255, dtype=np.uint8), 'mask', 254).all()
