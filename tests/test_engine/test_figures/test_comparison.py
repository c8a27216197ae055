import cv2
import numpy as np
import pytest

from incseg.engine import train_protocol
from incseg.engine.figures.predictions import draw_comparison, grid
from incseg.errors import InvalidInputError


def test_grid():
    """Columns in order under their titles, pictures doubled, white between."""
    black, grey = np.zeros((4, 5, 3), np.uint8), np.full((4, 5, 3), 90, np.uint8)
    canvas = grid({'a': [black, grey], 'b': [grey, black]})
    assert canvas.shape == (22 + 2 * 14, 10 + 6 + 10, 3)
    assert (canvas[22:30, :10] == 0).all() and (canvas[22:30, 16:] == 90).all()
    assert (canvas[36:44, :10] == 90).all() and (canvas[30:36] == 255).all()


def test_runs_of_several_methods(tiny, tmp_path):
    """A network with one classifier (joint) and one with three stand in one picture."""
    train_protocol(tiny('joint'), tmp_path / 'joint', reuse=False)
    train_protocol(tiny('mib'), tmp_path / 'mib', [0], reuse=False)
    runs = {
        'joint': str(tmp_path / 'joint/step_0/final.pth'),
        'MiB, step 0': str(tmp_path / 'mib/step_0/final.pth'),
    }
    draw_comparison(tiny('mib'), runs, [0, 3], tmp_path / 'out' / 'x.png')
    assert cv2.imread(str(tmp_path / 'out' / 'x.png')).shape == (22 + 2 * 70, 4 * 64 + 3 * 6, 3)
    with pytest.raises(InvalidInputError, match='--images 9 is out of range: there are 6'):
        draw_comparison(tiny('mib'), runs, [9], tmp_path / 'y.png')
