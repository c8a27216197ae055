"""Small checkpoints that are kept with the tests."""

import sys
from pathlib import Path

import pytest

FORMATS = Path(__file__).resolve().parents[2] / 'formats'


@pytest.fixture
def toy_parts(monkeypatch):
    """The parts of the network of ``tests/formats``, imported and registered."""
    monkeypatch.syspath_prepend(str(FORMATS))
    sys.modules.pop('toy_parts', None)
    import toy_parts

    return toy_parts


@pytest.fixture
def kept(toy_parts):
    """The file of a format: ``kept(1)``."""
    return lambda number: FORMATS / f'format_{number}.pth'
