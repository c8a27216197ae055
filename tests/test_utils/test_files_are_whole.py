import os

import pytest

from incseg.errors import SaveError
from incseg.utils.files import whole_file, write_atomically


def test_whole_or_not_at_all(tmp_path, monkeypatch):
    """A full disk leaves what stood there, and no temporary file."""
    path = tmp_path / 'new' / 'file'
    write_atomically(path, b'first')
    write_atomically(path, b'second')
    assert path.read_bytes() == b'second'

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(SaveError, match="cannot write '.*file': No space left on device"):
        write_atomically(path, b'third')
    assert path.read_bytes() == b'second' and os.listdir(path.parent) == ['file']


def test_text_is_utf8(tmp_path):
    """Whatever the locale is."""
    write_atomically(tmp_path / 'a', 'ä')
    assert (tmp_path / 'a').read_bytes() == b'\xc3\xa4'


def test_a_failure_while_writing(tmp_path):
    """The file stays as it was, the temporary one goes; an error of the disk names the file, any
    other is not ours to translate."""
    path = tmp_path / 'file'
    write_atomically(path, b'first')
    for error, expected in ((RuntimeError('x'), RuntimeError), (OSError(28, 'full'), SaveError)):
        with pytest.raises(expected), whole_file(path) as temporary:
            temporary.write_bytes(b'sec')
            raise error
        assert path.read_bytes() == b'first' and os.listdir(tmp_path) == ['file']
