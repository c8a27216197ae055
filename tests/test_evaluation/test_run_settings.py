import pytest

from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import flatten, is_free, read_settings, row_settings


def test_flatten():
    """Keys are named as they are on the command line; empty dicts do not vanish."""
    assert dict(flatten({'a': {'b': 1, 'c': {}}, 'd': [1]})) == {'a.b': 1, 'a.c': {}, 'd': [1]}


def test_free_keys_are_whole_keys():
    """data_root may change; a key that only begins like it, or holds it, may not."""
    assert is_free('data_root') and is_free('voc_root') and is_free('schedule.log_interval')
    assert not is_free('data_rooted') and not is_free('schedule.lr.base') and not is_free('epochs')


def test_row_settings():
    """If it fails, seeds are no seeds of one row, or another learning rate goes unseen."""
    assert row_settings(
        {'seed': 1, 'protocol.name': '4-1', 'num_workers': 2, 'lr': 0.1, 'method.seed': 3}
    ) == {'lr': 0.1, 'method.seed': 3}


def test_read_settings(tmp_path):
    """Absent is not damaged; damaged is said with the file's name."""
    assert read_settings(tmp_path) is None
    (tmp_path / 'config.json').write_text('{"a": {"b": 1}}')
    assert read_settings(tmp_path) == {'a.b': 1}
    for text in ('{"a":', '[1]'):
        (tmp_path / 'config.json').write_text(text)
        with pytest.raises(InvalidInputError, match=r'config\.json is not a config'):
            read_settings(tmp_path)


def test_unreadable_settings_are_named(tmp_path, monkeypatch):
    """Another user's file: one line, no traceback."""
    (tmp_path / 'config.json').touch()

    def refuse(path):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr(type(tmp_path), 'read_bytes', refuse)
    with pytest.raises(InvalidInputError, match=r'config\.json cannot be read: Permission denied'):
        read_settings(tmp_path)
