"""Images and label maps from files: ids, sizes and broken files."""

import cv2
import numpy as np
import pytest

from incseg.datasets import LabelReader, LoadImage, LoadLabels, RandomFlip, Resize
from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.pictures.headers import is_cut_jpeg


def test_colours_are_bgr(tmp_path):
    """The preprocessor swaps to RGB; loading RGB here would swap twice."""
    blue = np.zeros((5, 7, 3), np.uint8)
    blue[..., 0] = 200
    cv2.imwrite(str(tmp_path / 'b.png'), blue)
    results = LoadImage()(dict(img_path=str(tmp_path / 'b.png')))
    np.testing.assert_array_equal(results['img'], blue)
    assert results['img_shape'] == results['ori_shape'] == (5, 7)


def test_grey_files_become_three_channels(tmp_path):
    """Some photographs are stored grey."""
    cv2.imwrite(str(tmp_path / 'g.jpg'), np.full((4, 6), 77, np.uint8))
    assert LoadImage()(dict(img_path=str(tmp_path / 'g.jpg')))['img'].shape == (4, 6, 3)


def test_image_in_memory_is_kept():
    """Generated data bring their image along."""
    img = np.zeros((3, 4, 3), np.uint8)
    assert LoadImage()(dict(img=img))['img'] is img
    with pytest.raises(
        InvalidInputError, match=r"'in memory' is \('float64', \(3, 4, 3\)\), expected uint8"
    ):
        LoadImage()(dict(img=img.astype(float)))


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('keep', [0.0, 0.3, 0.6, 0.95])
def test_cut_short_is_named(tmp_path, suffix, keep):
    """A half-copied JPEG decodes to a half grey picture in some OpenCV versions, silently."""
    path = tmp_path / f'cut{suffix}'
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise)
    assert LoadImage()(dict(img_path=str(path)))['img'].shape == (60, 80, 3)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(InvalidInputError, match=f"image '.*cut{suffix}' .*, expected a complete"):
        LoadImage()(dict(img_path=str(path)))


def test_no_image_at_all(tmp_path):
    """Text and folders are named; so is what is not there."""
    (tmp_path / 't.jpg').write_text('not an image')
    for name, kind, message in (
        ('t.jpg', InvalidInputError, 'cannot be decoded'),
        ('', InvalidInputError, 'cannot be read'),
        ('none.jpg', MissingFileError, 'does not exist'),
    ):
        with pytest.raises(kind, match=message):
            LoadImage()(dict(img_path=str(tmp_path / name)))


@pytest.mark.parametrize(
    ('data', 'cut'),
    [
        (b'\xff\xd8 \xff\xda pixels \xff\xd9', False),
        (b'\xff\xd8 \xff\xda pixels \xff\xd9 padding', False),
        (b'\xff\xd8 \xff\xda pixels', True),
        (b'\xff\xd8 \xff\xda thumbnail \xff\xd9 \xff\xda pixels', True),
        (b'\xff\xd8 \xff\xda thumbnail \xff\xd9 \xff\xda pixels \xff\xd9', False),
        (b'\xff\xd8 head', False),  # OpenCV refuses that by itself
        (b'\x89PNG \xff\xda', False),
    ],
)
def test_end_of_the_last_scan(data, cut):
    """A thumbnail has an end of its own, which must not pass for the picture's."""
    assert is_cut_jpeg(data) is cut


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
        f"size of label map '{path}' is (1, 4), expected (4, 1) (height, width), as its image "
        "'x.jpg'"
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
    with pytest.raises(InvalidInputError, match='LoadLabels after a flip.*expected LoadLabels'):
        LoadLabels()(flipped)
    resized = Resize(size=(2, 8))(results_of(path, label_reader=reader))
    results = LoadLabels()(resized)
    assert results['gt_seg_map'].shape == (1, 4) and results['img'].shape == (2, 8, 3)
