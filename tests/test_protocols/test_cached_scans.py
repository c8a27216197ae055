"""Cached scans: damage, or another reader, must never look like a result."""

import errno
import os
import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.errors import InvalidInputError, MissingFileError
from incseg.protocols import ClassIndex
from incseg.protocols.class_index import PresenceCache, file_states, scan_key

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
    """If it fails, a cut or altered cache file gives images the wrong classes."""
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
    """If it fails, a folder that cannot be written ends a training, or is not mentioned."""
    blocked = tmp_path / 'blocked'
    blocked.write_text('a file where the folder should be')
    for folder in (blocked, blocked / 'below'):
        with pytest.warns(UserWarning, match='^class index not cached in .*blocked') as caught:
            index = ClassIndex.scan(masks, read_mask, CLASSES, folder, 1, progress=False)
        assert len(caught) == 1 and '\n' not in str(caught[0].message)
        assert caught[0].filename == __file__
        assert (index.presence == brute_force(masks)).all()


def test_full_disk_warns_and_leaves_nothing(masks, scan, tmp_path, monkeypatch, brute_force):
    """If it fails, a full disk ends a training or leaves half a file in the cache."""

    def refuse(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'replace', refuse)
    with pytest.warns(UserWarning, match='not cached in .*cache: No space left on device$'):
        index = scan(masks)
    assert (index.presence == brute_force(masks)).all()
    assert list((tmp_path / 'cache').iterdir()) == []


def test_default_cache_folder(masks, scan, tmp_path, monkeypatch):
    """If it fails, the cache is in another folder than the documentation says."""

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
    """If it fails, rows are read under another key, or differ from those that were saved."""
    rows = np.random.default_rng(0).random((5, 8)) < 0.5
    assert PresenceCache('key', tmp_path).load(rows.shape) is None
    PresenceCache('key', tmp_path).save(rows)
    again = PresenceCache('key', str(tmp_path)).load(rows.shape)
    assert again.dtype == np.bool_ and (again == rows).all()
    assert PresenceCache('other', tmp_path).load(rows.shape) is None


def read_logged(path, log, shift=0):
    """A reader that leaves a line per call, from whichever process."""
    with Path(log).open('a') as lines:
        lines.write(f'{path}\n')
    return read_mask(path) + np.uint8(shift)


class LoggedReader:
    """A reader with state."""

    def __init__(self, log, shift=0):
        self.log, self.shift = log, shift

    def __call__(self, path):
        return read_logged(path, self.log, self.shift)

    def read(self, path):
        return self(path)


def test_path_objects_and_relative_paths(masks, scan, tmp_path, monkeypatch, brute_force, calls):
    """If it fails, the same files by another form of their path are scanned again."""
    scan(masks)
    calls()
    monkeypatch.chdir(tmp_path / 'labels')
    index = scan([Path(file).name for file in masks])
    assert (index.presence == brute_force(masks)).all()
    scan([Path(file) for file in masks])
    assert calls() == []  # the same files by other names


def test_folders_may_move_together(tmp_path, scan, make_masks, calls):
    """Names count below the common folder, so a moved data set keeps its cache."""
    files = make_masks(tmp_path / 'a' / 'x', 3) + make_masks(tmp_path / 'a' / 'y', 3, seed=1)
    before = scan(files)
    calls()
    (tmp_path / 'a').rename(tmp_path / 'b')
    moved = [str(tmp_path / 'b' / Path(file).relative_to(tmp_path / 'a')) for file in files]
    assert (scan(moved).presence == before.presence).all()
    assert calls() == []
    (tmp_path / 'b' / 'y').rename(tmp_path / 'b' / 'z')
    scan([file.replace('/y/', '/z/') for file in moved])
    assert len(calls()) == 6


def change_size(files):
    status = os.stat(files[4])
    with open(files[4], 'ab') as stream:
        stream.write(b'\0')  # after the image's end
    os.utime(files[4], ns=(status.st_atime_ns, status.st_mtime_ns))
    return files


def change_time(files):
    status = os.stat(files[4])
    os.utime(files[4], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    return files


def change_name(files):
    os.rename(files[4], files[4].replace('.png', 'b.png'))
    return [file if os.path.exists(file) else file.replace('.png', 'b.png') for file in files]


def swap_two(files):
    os.rename(files[4], 'swap.png')
    os.rename(files[5], files[4])
    os.rename('swap.png', files[5])
    return files


@pytest.mark.parametrize(
    'change',
    [change_size, change_time, change_name, swap_two, lambda f: f[1:], lambda f: f + f[:1]],
    ids=['size', 'time', 'name', 'swap', 'shorter', 'longer'],
)
def test_changed_files_are_read_again(
    masks, scan, tmp_path, monkeypatch, change, brute_force, calls
):
    """If it fails, the classes of an edited, added or renamed file are those of the old one."""
    monkeypatch.chdir(tmp_path)
    scan(masks)
    calls()
    files = change(masks)
    assert (scan(files).presence == brute_force(files)).all()
    assert sorted(calls()) == sorted(files)


def test_other_reader_is_read_again(masks, scan, log, calls):
    """If it fails, a reader with other arguments gets the ids that another one read."""
    name = str(log)
    keyed = partial(read_logged, log=name)
    keyed.cache_key = 'v1'
    rekeyed = partial(read_logged, log=name)
    rekeyed.cache_key = 'v2'
    readers = [
        partial(read_logged, log=name),
        partial(read_logged, log=name, shift=1),
        partial(partial(read_logged, log=name), shift=2),
        LoggedReader(name),
        LoggedReader(name, shift=1),
        LoggedReader(name).read,
        LoggedReader(name, shift=1).read,
        keyed,
        rekeyed,
    ]
    for read in readers:
        scan(masks, read, num_classes=254)
        assert len(calls()) == 12, read
    for read in readers:
        scan(masks, read, num_classes=254)
        assert calls() == [], read
    same_key = LoggedReader(name, shift=9)
    same_key.cache_key = 'v2'
    scan(masks, same_key, num_classes=254)
    assert calls() == []


def test_scripts_do_not_share_their_readers(masks, scan, log, monkeypatch, calls):
    """Every script is called `__main__`; `read` of one is not `read` of the other."""
    main = sys.modules['__main__']
    reader = LoggedReader(str(log))
    read = type('Read', (LoggedReader,), {'__module__': '__main__', '__qualname__': 'Read'})
    monkeypatch.setattr(main, 'Read', read, raising=False)
    for script, expected in [('a.py', 12), ('b.py', 12), ('a.py', 0)]:
        monkeypatch.setattr(main, '__file__', script, raising=False)
        scan(masks, read(reader.log))
        assert len(calls()) == expected


def test_reader_must_be_picklable(masks, scan):
    """If it fails, a lambda as reader ends in an error of a worker process."""
    with pytest.raises(InvalidInputError, match='expected a callable that can be pickled'):
        scan(masks, lambda path: read_mask(path))


def test_missing_file(masks, scan, tmp_path, calls):
    """If it fails, a missing label file is not named."""
    os.remove(masks[6])
    with pytest.raises(MissingFileError, match=f'^{re.escape(masks[6])}: no such label file$'):
        scan(masks)
    below = masks[0] + '/x.png'
    with pytest.raises(MissingFileError, match=f'^{re.escape(below)}: no such label file$'):
        scan([below])
    assert calls() == []


def test_every_part_counts():
    """If it fails, two different scans have the same key."""
    states = [('a.png', 3, 7), ('b.png', 4, 8)]
    others = [
        (states[::-1], len, 20),
        (states[:1], len, 20),
        ([('a.png', 4, 7), states[1]], len, 20),
        ([('a.png', 3, 8), states[1]], len, 20),
        ([('c.png', 3, 7), states[1]], len, 20),
        (states, len, 21),
        (states, repr, 20),
    ]
    keys = [scan_key(states, len, 20), *(scan_key(*other) for other in others)]
    assert len(set(keys)) == len(keys) == 8
    assert scan_key(list(states), len, 20) == keys[0]


def test_states(tmp_path):
    """If it fails, a moved data set is scanned again, or a changed one is not."""
    files = [str(tmp_path / 'x' / 'a.png'), str(tmp_path / 'y' / 'b.png')]
    for size, file in enumerate(files, 1):
        Path(file).parent.mkdir()
        Path(file).write_bytes(b'.' * size)
        os.utime(file, ns=(5, 5))
    assert file_states(files) == [('x/a.png', 1, 5), ('y/b.png', 2, 5)]
    assert file_states(files[:1]) == [('./a.png', 1, 5)]
    assert file_states([]) == []


def test_order_of_keyword_arguments():
    """If it fails, the same reader scans all masks again because its arguments changed places."""
    one, other = partial(dict, a=1, b=2), partial(dict, b=2, a=1)
    assert scan_key([], one, 3) == scan_key([], other, 3)
    assert scan_key([], one, 3) != scan_key([], partial(dict, a=1, b=3), 3)
