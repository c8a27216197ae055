"""Files count by what is in them."""

import hashlib

import pytest

from incseg.engine.recipe.identity import file_sha, named_files
from incseg.errors import InvalidInputError


def test_every_file_in_a_part(tmp_path):
    """However deep a config names it; strings that are no files, and folders, are left out."""
    (tmp_path / 'a.pth').write_bytes(b'a')
    (tmp_path / 'b.pth').write_bytes(b'b')
    a, b = str(tmp_path / 'a.pth'), str(tmp_path / 'b.pth')
    part = dict(
        type='Walk',
        checkpoint=a,
        net=dict(stages=[dict(weights=b), (3, None)]),
        folder=str(tmp_path),
        other=str(tmp_path / 'c.pth'),
    )
    assert named_files(part) == {
        a: hashlib.sha256(b'a').hexdigest(),
        b: hashlib.sha256(b'b').hexdigest(),
    }
    assert named_files(dict(type=a)) == {}, 'the name of a part'
    assert named_files(a) == {a: file_sha(a)} and named_files(None) == {}


def test_other_content(tmp_path):
    """Of the same size, under the same name."""
    path = tmp_path / 'a.pth'
    path.write_bytes(b'one')
    before = file_sha(path)
    path.write_bytes(b'two')
    assert file_sha(path) != before and len(before) == 64


def test_unreadable(tmp_path):
    """One line with the path."""
    with pytest.raises(InvalidInputError, match=f'{tmp_path} cannot be read: Is a directory'):
        file_sha(tmp_path)
