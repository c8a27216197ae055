"""The fingerprint of a data set: it changes with the content of files, and is cheap to repeat."""

import os
import time

import numpy as np
import pytest
from PIL import Image

from incseg.datasets import SegDataset, ShapesDataset
from incseg.datasets.label_maps import write_label_file
from incseg.errors import MissingFileError
from incseg.utils import file_digests as module

CLASSES = dict(classes=('background', 'a'))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'images/train').mkdir(parents=True)
    for i in range(4):
        pixels = np.full((6, 8, 3), 10 * i, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'images/train/{i}.png')
        write_label_file(tmp_path / f'labels/train/{i}.png', np.full((6, 8), i % 2, np.uint8))
    return tmp_path


def fingerprint(folder, indices=None):
    return SegDataset(folder, metainfo=CLASSES).fingerprint(indices)


def aged(folder):
    """Let the files look as if they had been written an hour ago."""
    for path in folder.rglob('*.png'):
        os.utime(path, (time.time() - 3600,) * 2)


@pytest.mark.parametrize('kind', ['images', 'labels'])
def test_content_counts(folder, kind):
    """If it fails, --resume goes on with changed images or masks.

    The size and the time of change are put back.
    """
    before = fingerprint(folder)
    path = folder / f'{kind}/train/2.png'
    content, state = bytearray(path.read_bytes()), path.stat()
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert fingerprint(folder) != before
    content[-20] ^= 1
    path.write_bytes(content)
    assert fingerprint(folder) == before


def test_ids_and_their_number_count(folder):
    """If it fails, half the images may go, or change their names, without a word."""
    whole, half = fingerprint(folder), fingerprint(folder, [0, 1])
    assert half != whole
    for kind in ('images', 'labels'):
        (folder / f'{kind}/train/3.png').rename(folder / f'{kind}/train/33.png')
    renamed = fingerprint(folder)
    assert renamed != whole
    assert fingerprint(folder, [0, 1]) == half
    for kind in ('images', 'labels'):
        (folder / f'{kind}/train/33.png').unlink()
    assert fingerprint(folder) not in (whole, renamed)


def test_a_copy_is_the_same(folder, tmp_path_factory):
    """If it fails, data that were moved to another disk count as others."""
    import shutil

    copy = shutil.copytree(folder, tmp_path_factory.mktemp('copy') / 'x')
    assert fingerprint(copy) == fingerprint(folder)


def test_pictures_in_memory():
    """If it fails, a data set without files cannot be trained on."""
    five, six = (ShapesDataset(length=n).fingerprint() for n in (5, 6))
    assert five != six == ShapesDataset(length=6).fingerprint()


def test_files_are_read_once(folder, monkeypatch):
    """If it fails, every start of a run reads all images again; or a young file, which may change
    without another time, is remembered."""
    read = []
    digest_of = module.digest_of
    monkeypatch.setattr(module, 'digest_of', lambda path: read.append(path) or digest_of(path))
    monkeypatch.setattr(module, 'YOUNG', 0)
    before = fingerprint(folder)
    assert len(read) == 8
    assert fingerprint(folder) == before and len(read) == 8
    path = folder / 'labels/train/1.png'
    path.write_bytes(path.read_bytes())
    assert fingerprint(folder) == before and len(read) == 9, 'the one that was written'
    monkeypatch.setattr(module, 'YOUNG', 10**18)
    path.write_bytes(path.read_bytes())
    fingerprint(folder), fingerprint(folder)
    assert len(read) > 10


def test_a_damaged_cache_is_no_cache(folder, monkeypatch):
    """If it fails, a flipped bit in the cache ends in a wrong fingerprint or a traceback."""
    monkeypatch.setattr(module, 'YOUNG', 0)
    before = fingerprint(folder)
    [cache] = module.cache_folder('file_digests').iterdir()
    for content in (b'', b'abc', bytes([cache.read_bytes()[0] ^ 1]) + cache.read_bytes()[1:]):
        cache.write_bytes(content)
        assert fingerprint(folder) == before


def test_a_file_that_is_missing(folder):
    """If it fails, an image that was deleted meanwhile ends in a traceback."""
    dataset = SegDataset(folder, metainfo=CLASSES)
    (folder / 'images/train/0.png').unlink()
    with pytest.raises(MissingFileError, match='0.png: no such file'):
        dataset.fingerprint()
