"""Runs of a matrix at toy size."""

from pathlib import Path

import pytest

from incseg.engine.matrix.plan import MatrixRun

ROOT = Path(__file__).parents[3]


@pytest.fixture
def make(tiny, tmp_path):
    """Make a run of a matrix at toy size: ``make('ft', seed=0)``."""

    def run(method, **options):
        path = str(ROOT / f'configs/{method}/bisenet_r18_shapes_4-1.py')
        return MatrixRun(path, {}, tiny(method, **options), tmp_path / 'matrix')

    return run
