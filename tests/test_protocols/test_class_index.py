"""The class index: stale or wrong rows would silently train steps on the wrong images."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.errors import InvalidInputError
from incseg.protocols import ClassIndex, Protocol

ROOT = Path(__file__).resolve().parents[2]
VOC = ROOT.parent / 'shared' / 'data' / 'voc2012_aug'
CLASSES = 7


def read_mask(path):
    with Image.open(path) as mask:
        return np.asarray(mask)


def test_equals_brute_force(masks, scan, brute_force):
    index = scan(masks)
    expected = brute_force(masks)
    assert index.presence.dtype == np.bool_
    assert (index.presence == expected).all()
    assert index.counts().dtype == np.int64
    assert index.counts().tolist() == expected.sum(0).tolist()
    assert index.files == tuple(masks) and len(index) == 12


def test_order_of_the_list_is_kept_but_not_part_of_the_key(masks, scan, brute_force, calls):
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
    index = scan([])
    assert index.presence.shape == (0, CLASSES + 1) and len(index) == 0


def test_works_with_protocol(masks, scan, brute_force):
    protocol = Protocol(CLASSES, 4, 2)
    expected = np.flatnonzero(brute_force(masks)[:, [5, 6]].any(axis=1)).tolist()
    assert protocol.select(scan(masks).presence, 1).tolist() == expected


def test_second_scan_reads_nothing(masks, scan, tmp_path, calls):
    first = scan(masks)
    assert sorted(calls()) == masks
    second = scan(masks)
    assert calls() == []
    assert (first.presence == second.presence).all()
    assert [f.suffix for f in (tmp_path / 'cache').iterdir()] == ['.bin']  # nothing left behind


def test_other_class_count_is_read_again(masks, scan, calls):
    assert scan(masks).presence.shape == (12, 8)
    calls()
    assert scan(masks, num_classes=9).presence.shape == (12, 10)
    assert len(calls()) == 12
    scan(masks), scan(masks, num_classes=9)
    assert calls() == []  # side by side, not one in place of the other


def test_silence(tmp_path, scan, capsys, make_masks):
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
    with pytest.raises(InvalidInputError, match=message):
        scan(masks, **options)


def test_rows_must_match_files():
    assert len(ClassIndex(['a', 'b'], np.zeros((2, 3), bool))) == 2
    for rows in (np.zeros((3, 3), bool), np.zeros(2, bool), np.zeros((2, 3), np.uint8)):
        with pytest.raises(InvalidInputError, match=r'expected bool and \(2, classes \+ 1\)$'):
            ClassIndex(['a', 'b'], rows)


def test_real_masks(tmp_path, scan):
    if not (VOC / 'SegmentationClassAug.zip').is_file():
        pytest.skip(f'needs the VOC masks in {VOC}')
    ids = (VOC / 'train_aug.txt').read_text().split()[:2000:10]
    with zipfile.ZipFile(VOC / 'SegmentationClassAug.zip') as archive:
        files = [archive.extract(f'{name}.png', tmp_path) for name in ids]
    expected = [[c for c in np.unique(read_mask(file)) if c != 255] for file in files]
    index = scan(files, read_mask, num_classes=20, num_workers=2)
    assert [np.flatnonzero(row).tolist() for row in index.presence] == expected
