import numpy as np

from incseg.datasets import JSONImageLabels, write_image_labels


def test_round_trip(voc, tmp_path):
    """What is written is read back by id; the background is not a class name in the file."""
    rows = np.zeros((3, 21), np.bool_)
    rows[:, 0] = True
    rows[0, [2, 20]] = rows[2, 5] = True
    path = tmp_path / 'new' / 'labels.json'
    write_image_labels(path, ['a', 'b/c', 'ä'], rows, voc.metainfo['classes'])
    assert 'background' not in path.read_text()
    assert (JSONImageLabels(voc, str(path)).labels(['ä', 'a', 'b/c']) == rows[[2, 0, 1]]).all()
