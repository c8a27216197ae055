import cv2
import numpy as np

from incseg.apis.inference import Inferencer, list_images
from incseg.engine import train_protocol


def test_list_images(tmp_path):
    """A folder is its images in order; arrays and sequences are taken as they are."""
    for name in ('b.PNG', 'a.jpg', 'notes.txt'):
        (tmp_path / name).touch()
    assert list_images(tmp_path) == [tmp_path / 'a.jpg', tmp_path / 'b.PNG']
    array = np.zeros((2, 2, 3), np.uint8)
    assert list_images(array) == [array]
    assert list_images(['x.jpg', array]) == ['x.jpg', array]


def test_equal_names_do_not_overwrite_each_other(tiny, tmp_path):
    """If it fails, a folder with a.jpg and a.png gives one painted picture for two."""
    config = tiny(**{'protocol.name': 'offline'})
    train_protocol(config, tmp_path / 'run', reuse=False)
    (tmp_path / 'in').mkdir()
    for name in ('a.jpg', 'a.png', 'b.png'):
        cv2.imwrite(str(tmp_path / 'in' / name), np.zeros((32, 32, 3), np.uint8))
    segment = Inferencer(config, tmp_path / 'run/step_0/final.pth')
    assert len(segment(tmp_path / 'in', out_dir=tmp_path / 'out')) == 3
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'a.png',
        'a_000001.png',
        'b.png',
    ]
