"""The key of a scan: one that is too coarse serves rows of other files or another reader."""

import os
import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.errors import InvalidInputError, MissingFileError
from incseg.protocols.class_index import file_states, scan_key


def read_mask(path):
    with Image.open(path) as mask:
        return np.asarray(mask)


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
    monkeypatch.chdir(tmp_path)
    scan(masks)
    calls()
    files = change(masks)
    assert (scan(files).presence == brute_force(files)).all()
    assert sorted(calls()) == sorted(files)


def test_other_reader_is_read_again(masks, scan, log, calls):
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
    with pytest.raises(InvalidInputError, match='expected a callable that can be pickled'):
        scan(masks, lambda path: read_mask(path))


def test_missing_file(masks, scan, tmp_path, calls):
    os.remove(masks[6])
    with pytest.raises(MissingFileError, match=f'^{re.escape(masks[6])}: no such label file$'):
        scan(masks)
    below = masks[0] + '/x.png'
    with pytest.raises(MissingFileError, match=f'^{re.escape(below)}: no such label file$'):
        scan([below])
    assert calls() == []


def test_every_part_counts():
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
    files = [str(tmp_path / 'x' / 'a.png'), str(tmp_path / 'y' / 'b.png')]
    for size, file in enumerate(files, 1):
        Path(file).parent.mkdir()
        Path(file).write_bytes(b'.' * size)
        os.utime(file, ns=(5, 5))
    assert file_states(files) == [('x/a.png', 1, 5), ('y/b.png', 2, 5)]
    assert file_states(files[:1]) == [('./a.png', 1, 5)]
    assert file_states([]) == []
