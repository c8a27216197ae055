import os

import pytest

from incseg.datasets.atomic_file import write_atomically
from incseg.errors import SaveError


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
