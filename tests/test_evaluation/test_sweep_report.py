import os

import numpy as np
import pytest
from PIL import Image

from incseg.errors import SaveError
from incseg.evaluation import threshold_sweep as sweep_report
from incseg.evaluation.threshold_sweep import best_row, draw_sweep, sweep_table

ROWS = [
    dict(
        threshold=round(0.01 * i, 2),
        iou=[50.0, None],
        classes=None if i < 3 else 2.0 * i,
        all=30.0 - abs(i - 7),
    )
    for i in range(12)
]


def test_table_has_the_grid_and_the_best():
    """0.00, 0.05, 0.10 and, with a star, the peak at 0.07 between them."""
    lines = [line.split('|') for line in sweep_table(ROWS).splitlines() if '|' in line]
    assert [line[1].strip() for line in lines[1:]] == ['0.00', '0.05', '0.07*', '0.10']
    assert [cell.strip() for cell in lines[1][2:5]] == ['50.0', '-', '23.0']
    assert best_row(ROWS) is ROWS[7]
    assert 'new' not in lines[0]


def test_column_of_the_new_classes():
    """Only where the labels have other classes, too."""
    lines = [
        line.split('|')
        for line in sweep_table([{**ROWS[5], 'new': 12.34}], with_new=True).splitlines()
        if '|' in line
    ]
    assert lines[0][-2].strip() == 'new classes' and lines[1][-2].strip() == '12.3'


def test_picture(tmp_path, monkeypatch):
    """Drawn whole or not at all; without matplotlib, said and not raised."""
    path = tmp_path / 'new' / 'sweep.png'
    assert draw_sweep(ROWS, 'title', path, used=0.05)
    with Image.open(path) as image:
        assert image.size == (960, 600) and np.unique(np.asarray(image.convert('L'))).size > 10
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(SaveError, match=r"sweep\.png': No space left"):
        draw_sweep(ROWS, 'title', path)
    assert path.read_bytes() == before and os.listdir(path.parent) == ['sweep.png']
    monkeypatch.setattr(sweep_report, 'find_spec', lambda name: None)
    assert not draw_sweep(ROWS, 'title', tmp_path / 'none.png')
