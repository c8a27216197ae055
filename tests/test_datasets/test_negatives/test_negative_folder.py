import pytest

from incseg.datasets import NegativeFolder
from incseg.errors import MissingFileError


def test_every_image_below(tmp_path, write_image):
    """Both endings, folders below too, sorted; other files are no images."""
    for name in ('b.jpg', 'a.png', 'sub/c.jpg'):
        write_image(tmp_path / name)
    (tmp_path / 'notes.txt').write_text('x')
    negatives = NegativeFolder(str(tmp_path))
    assert len(negatives) == 3
    infos = [negatives.get_data_info(i) for i in range(3)]
    assert [info['img_path'] for info in infos] == [
        str(tmp_path / name) for name in ('a.png', 'b.jpg', 'sub/c.jpg')
    ]
    assert infos[2]['image_id'] == 'negative_c'


def test_file_states(tmp_path, write_image):
    """Another picture under the same name is told from the one before."""
    path = write_image(tmp_path / 'sub/a.png', (12, 16))
    before = NegativeFolder(str(tmp_path)).file_states()
    assert before == [('a.png', path.stat().st_size, path.stat().st_mtime_ns)]
    write_image(path, (40, 30))
    assert NegativeFolder(str(tmp_path)).file_states() != before


def test_no_image(tmp_path):
    """An empty folder would leave the class without a negative, unnoticed."""
    with pytest.raises(MissingFileError, match='has no .jpg or .png file; .*seam.negatives'):
        NegativeFolder(str(tmp_path))
