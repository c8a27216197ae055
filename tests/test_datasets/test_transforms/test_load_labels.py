import numpy as np
import pytest

from incseg.datasets import LabelReader, LoadLabels, RandomFlip, Resize
from incseg.errors import InvalidInputError, MissingFileError


def results_of(path, shape=(1, 4), **more):
    return dict(
        seg_map_path=str(path),
        img_path='x.jpg',
        ori_shape=shape,
        seg_fields=[],
        img=np.zeros((*shape, 3), np.uint8),
        **more,
    )


@pytest.fixture
def path(tmp_path, write_label):
    return write_label(tmp_path / 'm.png', [[0, 1, 9, 2]])


def test_reader_then_lut(path):
    """File id → dataset id → train id, worked by hand: 0→1→0, 1→2→4, 9→void, 2→3→1."""
    reader = LabelReader(3, {0: 1, 1: 2, 2: 3}, void_ids=(9,))
    results = LoadLabels()(results_of(path, label_reader=reader))
    assert results['gt_seg_map'].tolist() == [[1, 2, 255, 3]]
    assert results['seg_fields'] == ['gt_seg_map']
    lut = np.full(256, 255, np.uint8)
    lut[1:4] = 0, 4, 1
    results = LoadLabels()(results_of(path, label_reader=reader, label_lut=lut))
    assert results['gt_seg_map'].tolist() == [[0, 4, 255, 1]]
    assert results['gt_seg_map'].dtype == np.uint8


def test_labels_in_memory_are_dataset_ids():
    """The shift of a data set's files must not be applied to them a second time."""
    reader = LabelReader(3, {0: 1, 1: 2, 2: 3}, void_ids=(9,))
    given = np.array([[1, 3, 255, 0]], np.uint8)
    lut = np.arange(256, dtype=np.uint8)[::-1].copy()
    results = LoadLabels()(results_of('', label_reader=reader, label_lut=lut, gt_seg_map=given))
    assert results['gt_seg_map'].tolist() == [[254, 252, 0, 255]]
    assert given.tolist() == [[1, 3, 255, 0]]  # the data set's own array stays
    with pytest.raises(InvalidInputError, match=r'id outside the data set: 4 \(4 pixels\)'):
        LoadLabels()(results_of('', label_reader=reader, gt_seg_map=np.full((1, 4), 4, np.uint8)))


def test_another_size_than_the_image(path):
    """Both files and both sizes are named, height first."""
    with pytest.raises(InvalidInputError) as error:
        LoadLabels()(results_of(path, (4, 1), label_reader=LabelReader(20)))
    assert str(error.value) == (
        f"label map '{path}' is 1 x 4 but its image 'x.jpg' is 4 x 1 "
        '(height x width); allowed is the same size'
    )


def test_bad_files(path, tmp_path):
    """Foreign ids and missing files are named where they are loaded, too."""
    with pytest.raises(InvalidInputError, match=r"m\.png' has an id outside the data set: 9"):
        LoadLabels()(results_of(path, label_reader=LabelReader(3)))
    with pytest.raises(MissingFileError, match=r'none\.png'):
        LoadLabels()(results_of(tmp_path / 'none.png', label_reader=LabelReader(3)))


def test_order_in_the_pipeline(path):
    """Loaded after a flip, labels would be mirrored against the image: refused.  After a Resize
    they keep their own size, for evaluation."""
    reader = LabelReader(20)
    flipped = RandomFlip(prob=1.0)(results_of(path, label_reader=reader))
    with pytest.raises(InvalidInputError, match='LoadLabels after a flip.*allowed is LoadLabels'):
        LoadLabels()(flipped)
    resized = Resize(size=(2, 8))(results_of(path, label_reader=reader))
    results = LoadLabels()(resized)
    assert results['gt_seg_map'].shape == (1, 4) and results['img'].shape == (2, 8, 3)
