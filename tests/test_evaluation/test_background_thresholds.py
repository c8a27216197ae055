"""Pseudo-labels at many background thresholds: numbers, table, plot."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from incseg.errors import InvalidInputError, SaveError
from incseg.evaluation import threshold_sweep as sweep_report
from incseg.evaluation.confusion import confusion_matrix, iou_per_class
from incseg.evaluation.threshold_sweep import ThresholdSweep, best_row, draw_sweep, sweep_table

THRESHOLDS = [0.0, 0.2, 0.26, 0.6, 1.0]


def images(count=3):
    rng = np.random.default_rng(0)
    for _ in range(count):
        truth = rng.choice(np.uint8([0, 1, 2, 255]), (9, 11))
        yield (
            truth,
            rng.integers(0, 3, (9, 11)).astype(np.uint8),
            rng.choice(np.uint8([0, 51, 52, 66, 67, 152, 153, 154, 255]), (9, 11)),
        )


def test_equals_one_pass_for_each_threshold():
    """Against labels made for every threshold and counted by the ordinary matrix; scores lie at
    and beside the thresholds (.2 is 51/255, .6 is 153/255), where a wrong rounding shows."""
    sweep = ThresholdSweep(3, THRESHOLDS)
    for image in images():
        sweep.add(*image)
    for threshold, matrix in zip(THRESHOLDS, sweep.matrices()):
        expected = torch.zeros(3, 3, dtype=torch.int64)
        for truth, best, score in images():
            # exact: 255 t is a whole number or not near one
            label = np.where(score > round(255 * threshold, 6), best, 0)
            expected += confusion_matrix(torch.from_numpy(label), torch.from_numpy(truth), 3)
        assert torch.equal(matrix, expected), threshold


def test_rows_worked_by_hand():
    """Four pixels: at .5 class 1 has one of two and a false one; at 1 all is background."""
    sweep = ThresholdSweep(3, [0.5, 1.0])
    sweep.add(np.uint8([[0, 0, 1, 1]]), np.uint8([[1, 1, 1, 1]]), np.uint8([[10, 200, 200, 20]]))
    low, high = sweep.rows()
    assert low['iou'] == [pytest.approx(100 / 3), pytest.approx(100 / 3), None]
    assert low['classes'] == low['all'] == pytest.approx(100 / 3)
    assert high['iou'][:2] == [50.0, 0.0] and high['classes'] == 0 and high['all'] == 25
    assert iou_per_class(sweep.matrices()[1]) == high['iou']


@pytest.mark.parametrize('thresholds', [[], [26], [-0.1]])
def test_thresholds(thresholds):
    """In scores, not in percent."""
    with pytest.raises(InvalidInputError, match=r'thresholds is .*expected one or more'):
        ThresholdSweep(3, thresholds)


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


def test_lines_of_the_picture(tmp_path, monkeypatch):
    """If it fails, the plot hides a curve, its legend, or what its axes mean."""
    figures = []
    figure_class = pytest.importorskip('matplotlib.figure').Figure
    real = figure_class.savefig
    monkeypatch.setattr(
        figure_class, 'savefig', lambda self, *a, **k: (figures.append(self), real(self, *a, **k))
    )
    draw_sweep(ROWS, 'title', tmp_path / 'sweep.png', used=0.05)
    [axis] = figures[0].axes
    both, classes, best, used = (np.asarray(line.get_ydata()) for line in axis.get_lines())
    assert np.isnan(classes[:3]).all() and list(classes[3:5]) == [6.0, 8.0]
    assert not np.isnan(both).any() and list(best) == [30.0] and len(used) == 2
    assert axis.get_xlabel() == 'background threshold' and axis.get_ylabel() == 'mIoU, %'
    assert [text.get_text() for text in axis.get_legend().get_texts()][-1].endswith('0.05')
    assert axis.get_ylim()[0] == 0


def test_no_matplotlib_is_false_and_nothing_else(tmp_path, monkeypatch):
    """If it fails, a caller cannot tell a missing package from a missing answer."""
    monkeypatch.setattr(sweep_report, 'find_spec', lambda name: None)
    assert draw_sweep(ROWS, 'title', tmp_path / 'none.png') is False
