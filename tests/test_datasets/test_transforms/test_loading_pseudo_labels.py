import numpy as np
import pytest

from incseg.datasets import (
    IncrementalDataset,
    LabelReader,
    LoadPseudoLabels,
    PseudoLabelFiles,
    RandomFlip,
    ScoreFile,
    ShapesDataset,
)
from incseg.errors import InvalidInputError, MissingFileError

LABELS = {1: [[0, 7, 255, 7, 0]], 2: [[9, 9, 9, 0, 0]]}


@pytest.fixture
def folders(tmp_path):
    """Steps 1 and 2 of a protocol, classes 7 and 9, one image."""
    for step, label in LABELS.items():
        files = PseudoLabelFiles.of_step(tmp_path, '5-1', step)
        scores = np.float32([[[0.1, 0.6, 0.3, 0.9, 0.2]]])
        files.write('a', np.uint8(label), ScoreFile.quantise([5 + 2 * step], scores))
        files.write_meta(dict(ids=[5 + 2 * step], bg=dict(mode='const', value=0.26)))
    return [str(tmp_path / '5-1' / str(step)) for step in LABELS]


def sample(**more):
    reader = LabelReader(20, {i: i + 1 for i in range(20)})  # files of masks count from 0
    return dict(
        image_id='a',
        seg_map_path='none.png',
        img_path='a.jpg',
        ori_shape=(1, 5),
        label_reader=reader,
        img=np.zeros((1, 5, 3), np.uint8),
        **more,
    )


def shows(*ids):
    row = np.zeros(21, np.bool_)
    row[list(ids)] = True
    return row


def test_ids_are_dataset_ids(folders):
    """The masks' shift of ids is not applied to pseudo-labels; the step's table is."""
    results = LoadPseudoLabels(folders[0])(sample())
    assert results['gt_seg_map'].tolist() == LABELS[1] and results['seg_fields'] == ['gt_seg_map']
    lut = np.full(256, 255, np.uint8)
    lut[[0, 7]] = 0, 3
    assert LoadPseudoLabels(folders[0])(sample(label_lut=lut))['gt_seg_map'].tolist() == [
        [0, 3, 255, 3, 0]
    ]


def test_a_mask_in_memory_is_not_looked_at(folders):
    """Weak supervision must not see the pixels."""
    results = LoadPseudoLabels(folders[0])(sample(gt_seg_map=np.full((1, 5), 4, np.uint8)))
    assert results['gt_seg_map'].tolist() == LABELS[1]


def test_from_scores(folders):
    """Another threshold, a band, and gating, as :class:`PseudoLabelView` does them."""
    load = LoadPseudoLabels(folders[0], threshold=0.5, uncertain=0.25)
    assert load(sample())['gt_seg_map'].tolist() == [[0, 255, 255, 7, 0]]
    gated = LoadPseudoLabels(folders[0], gating=True)
    assert gated(sample(image_labels=shows(0, 7)))['gt_seg_map'].tolist() == [[0, 7, 7, 7, 0]]
    assert gated(sample(image_labels=shows(0)))['gt_seg_map'].tolist() == [[0] * 5]
    with pytest.raises(InvalidInputError, match=r'gating=True\) needs image_labels in the sample'):
        gated(sample())


def test_several_steps(folders):
    """The first step's class stays; what it leaves open or unsure is the next one's."""
    assert LoadPseudoLabels(folders)(sample())['gt_seg_map'].tolist() == [[9, 7, 9, 7, 0]]


def test_masks_of_some_classes_win(folders):
    """Joint training: class 4 and void from the mask, pseudo-labels in the rest; a mask without
    class 4 gives nothing, not even its void."""
    load = LoadPseudoLabels(folders[0], mask_classes=[4])
    mask = np.uint8([[4, 0, 0, 4, 255]])
    assert load(sample(gt_seg_map=mask))['gt_seg_map'].tolist() == [[4, 7, 255, 4, 255]]
    mask = np.uint8([[3, 0, 0, 7, 255]])
    assert load(sample(gt_seg_map=mask))['gt_seg_map'].tolist() == LABELS[1]


def test_no_mask_beside_pseudo_labels(folders):
    """Joint training: an image without a mask has its pseudo-labels as they are; its mask's path,
    where nothing is, is not opened."""
    load = LoadPseudoLabels(folders[0], mask_classes=[4])
    assert load(sample(has_mask=False))['gt_seg_map'].tolist() == LABELS[1]
    pathless = sample()
    del pathless['seg_map_path']
    assert load(pathless)['gt_seg_map'].tolist() == LABELS[1]


def test_the_root_in_place_of_a_step(folders, tmp_path):
    """Said with the folders that would do."""
    with pytest.raises(MissingFileError, match=r'it has no meta\.json; .* \+ 5-1/1, 5-1/2$'):
        LoadPseudoLabels(str(tmp_path))(sample())


def test_an_image_of_another_step(folders):
    """It may be missing where it shows none of the step's classes, by label or by mask, and
    nowhere else: an incomplete folder must not pass for background."""
    PseudoLabelFiles(folders[0]).label_path('a').unlink()
    load = LoadPseudoLabels(folders)
    assert load(sample(image_labels=shows(9)))['gt_seg_map'].tolist() == LABELS[2]
    for given in (sample(), sample(image_labels=shows(7, 9))):
        with pytest.raises(MissingFileError, match=r"1/labels/a\.png' does not exist"):
            load(given)
    load = LoadPseudoLabels(folders[0], mask_classes=[4])
    assert load(sample(gt_seg_map=np.uint8([[4, 0, 0, 4, 3]])))['gt_seg_map'].tolist() == [
        [4, 0, 0, 4, 0]
    ]
    with pytest.raises(MissingFileError, match=r"a\.png' does not exist"):
        load(sample(gt_seg_map=np.uint8([[4, 0, 0, 7, 3]])))
    PseudoLabelFiles(folders[1]).label_path('a').unlink()
    none = LoadPseudoLabels(folders)(sample(image_labels=shows(3)))['gt_seg_map']
    assert none.tolist() == [[0] * 5], 'no class of any of the steps: all of it is background'


def test_one_folder_has_every_image(folders):
    """Alone, without masks beside it, it must not lack an image, whatever that shows: an image
    whose labels and PNG are both lost would be learned as background."""
    PseudoLabelFiles(folders[0]).label_path('a').unlink()
    for load, more in (
        (LoadPseudoLabels(folders[0]), {}),
        (LoadPseudoLabels(folders[0], mask_classes=[4]), dict(has_mask=False)),
    ):
        with pytest.raises(MissingFileError, match=r"1/labels/a\.png' does not exist"):
            load(sample(image_labels=shows(9), **more))


def test_bad_files(folders):
    """Another size and a foreign id are refused with the PNG's name."""
    with pytest.raises(
        InvalidInputError, match=r"1/labels/a\.png' is \(1, 5\), expected .* as its image 'a\.jpg"
    ):
        LoadPseudoLabels(folders[0])(dict(sample(), ori_shape=(5, 1)))
    with pytest.raises(InvalidInputError, match=r"a\.png' has an id outside the data set: 7"):
        LoadPseudoLabels(folders[0])(dict(sample(), label_reader=LabelReader(4)))
    PseudoLabelFiles(folders[1]).write('a', np.uint8([[9], [9]]))
    with pytest.raises(
        InvalidInputError, match=r"2' is \(2, 1\), expected \(1, 5\) .* those of an earlier step"
    ):
        LoadPseudoLabels(folders)(sample())
    PseudoLabelFiles(folders[0]).write('a', np.uint8([[0, 7, 9, 7, 0]]))
    with pytest.raises(InvalidInputError, match=r"1/labels/a\.png' is \[9\], expected"):
        LoadPseudoLabels(folders[0])(sample())


def test_order_in_the_pipeline(folders):
    """After a flip they would lie mirrored on the image."""
    flipped = RandomFlip(prob=1.0)(sample(seg_fields=[]))
    with pytest.raises(InvalidInputError, match='LoadPseudoLabels after a flip.*LoadPseudoLabels'):
        LoadPseudoLabels(folders[0])(flipped)


def test_a_step_of_a_protocol(tmp_path):
    """A weak step: its dense row's images, in order, labelled by the files."""
    data, protocol = ShapesDataset(length=10, size=16), dict(base=4, increment=1)
    dense = IncrementalDataset(data, protocol, 1, [])
    files = PseudoLabelFiles(tmp_path)
    files.write_meta(dict(ids=[5], classes=['cross'], bg=dict(mode='const', value=0.26)))
    for i, image_id in enumerate(dense.image_ids):
        files.write(image_id, np.full((16, 16), 5 if i else 0, np.uint8))
    pipeline = [
        dict(type='LoadImage'),
        dict(type='LoadPseudoLabels', folders=str(tmp_path)),
        dict(type='PackSegInputs'),
    ]
    weak = IncrementalDataset(
        data, protocol, 1, pipeline, image_labels=dict(type='MaskImageLabels')
    )
    assert weak.image_ids == dense.image_ids and len(weak) > 1
    values = [sample['data_samples'].gt_sem_seg.data.unique().tolist() for sample in weak]
    assert values == [[0], *[[5]] * (len(weak) - 1)]  # train id of dataset id 5


def test_a_mask_of_another_size(folders):
    """If it fails, the base classes of such an image silently become background."""
    transform = LoadPseudoLabels(folders[0], mask_classes=[1, 2])
    with pytest.raises(InvalidInputError, match=r"'a' is \(1, 5\), expected \(2, 5\) .*mask"):
        transform.transform({**sample(), 'gt_seg_map': np.ones((2, 5), np.uint8)})
