"""The cache: damage must never look like a result, and a full disk must not end the work."""

import errno
import os

import numpy as np
import pytest
from PIL import Image

from incseg.protocols import ClassIndex
from incseg.protocols.class_index import PresenceCache

CLASSES = 7


def read_mask(path):
    with Image.open(path) as mask:
        return np.asarray(mask)


def truncate(content):
    return content[:-3]


def flip(content):
    return content[:50] + bytes([content[50] ^ 1]) + content[51:]


@pytest.mark.parametrize(
    'damage',
    [truncate, flip, lambda c: b'', lambda c: c[:10], lambda c: b'garbage' * 40, lambda c: c * 2],
    ids=['truncated', 'bit', 'empty', 'header', 'garbage', 'longer'],
)
def test_damaged_cache_is_ignored_and_rewritten(masks, scan, tmp_path, damage, brute_force, calls):
    scan(masks)
    calls()
    (cache,) = (tmp_path / 'cache').iterdir()
    good = cache.read_bytes()
    cache.write_bytes(damage(good))
    assert (scan(masks).presence == brute_force(masks)).all()
    assert len(calls()) == 12
    assert cache.read_bytes() == good


def test_cached_rows_of_another_shape_are_ignored(masks, scan, tmp_path, brute_force, calls):
    """Intact rows of fewer files, under the wrong name."""
    scan(masks)
    scan(masks[:5])
    small, large = sorted((tmp_path / 'cache').iterdir(), key=lambda f: f.stat().st_size)
    large.write_bytes(small.read_bytes())
    calls()
    assert (scan(masks).presence == brute_force(masks)).all()
    assert len(calls()) == 12


def test_unwritable_cache_warns_and_work_goes_on(masks, tmp_path, brute_force):
    blocked = tmp_path / 'blocked'
    blocked.write_text('a file where the folder should be')
    for folder in (blocked, blocked / 'below'):
        with pytest.warns(UserWarning, match='^class index not cached in .*blocked') as caught:
            index = ClassIndex.scan(masks, read_mask, CLASSES, folder, 1, progress=False)
        assert len(caught) == 1 and '\n' not in str(caught[0].message)
        assert caught[0].filename == __file__
        assert (index.presence == brute_force(masks)).all()


def test_full_disk_warns_and_leaves_nothing(masks, scan, tmp_path, monkeypatch, brute_force):
    def refuse(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'replace', refuse)
    with pytest.warns(UserWarning, match='not cached in .*cache: No space left on device$'):
        index = scan(masks)
    assert (index.presence == brute_force(masks)).all()
    assert list((tmp_path / 'cache').iterdir()) == []


def test_default_cache_folder(masks, scan, tmp_path, monkeypatch):
    def cached(folder):
        return len(list((tmp_path / folder).glob('*.bin')))

    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    monkeypatch.delenv('INCSEG_CACHE_DIR', raising=False)
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    scan(masks, cache_dir=None)
    assert cached('home/.cache/incseg/class_index') == 1
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))
    scan(masks, cache_dir=None)
    assert cached('xdg/incseg/class_index') == 1
    monkeypatch.setenv('INCSEG_CACHE_DIR', str(tmp_path / 'own'))
    scan(masks, cache_dir=None)
    assert cached('own/class_index') == 1


def test_round_trip(tmp_path):
    rows = np.random.default_rng(0).random((5, 8)) < 0.5
    assert PresenceCache('key', tmp_path).load(rows.shape) is None
    PresenceCache('key', tmp_path).save(rows)
    again = PresenceCache('key', str(tmp_path)).load(rows.shape)
    assert again.dtype == np.bool_ and (again == rows).all()
    assert PresenceCache('other', tmp_path).load(rows.shape) is None
