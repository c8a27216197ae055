"""Fingerprints of configs and of the files that they name."""

import hashlib

import pytest
from mmengine.config import ConfigDict

from incseg.engine.recipe import identity as module
from incseg.engine.recipe.identity import config_hash, file_sha, foreign_sources, named_files
from incseg.errors import InvalidInputError
from incseg.registry import MODELS


def test_order_and_kind_of_dict_do_not_matter():
    """The same config written in another way would be trained twice."""
    assert config_hash(dict(a=1, b=dict(c=2))) == config_hash(ConfigDict(b=dict(c=2), a=1))
    assert len(config_hash({})) == 16


def test_what_matters(monkeypatch):
    """A value, the library's version, the number of processes: each another result."""
    before = config_hash(dict(a=1))
    assert config_hash(dict(a=2)) != before
    for name, value in (('__version__', '99'), ('get_world_size', lambda: 7)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            assert config_hash(dict(a=1)) != before
    assert config_hash(dict(a=1)) == before


def test_code_of_others():
    """A head in somebody's repository may change without its config."""

    @MODELS.register_module(force=True)
    class HashedHead:
        pass

    assert list(foreign_sources([dict(x=dict(type='HashedHead'))])) == ['HashedHead']
    assert foreign_sources(dict(type='FCNHead')) == {}


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
