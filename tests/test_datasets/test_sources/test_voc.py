import pytest

from incseg.datasets import VOCDataset
from incseg.errors import InvalidInputError, MissingFileError


def test_layout_of_the_devkit(make_voc):
    """Masks come from SegmentationClassAug; SegmentationClass lacks 9 of 10 images."""
    root = make_voc(train_aug={'2008_1': [[0, 20]], '2007_9': [[255, 3]]}, val={'2007_1': [[15]]})
    dataset = VOCDataset(str(root), 'train_aug')
    assert dataset.image_ids == ['2008_1', '2007_9']
    assert dataset.get_data_info(0)['img_path'] == str(root / 'JPEGImages/2008_1.jpg')
    assert dataset.get_data_info(0)['seg_map_path'] == str(root / 'SegmentationClassAug/2008_1.png')
    presence = dataset.presence(num_workers=1, progress=False)
    assert [row.nonzero()[0].tolist() for row in presence] == [[0, 20], [3]]
    assert VOCDataset(str(root), 'val').image_ids == ['2007_1']


def test_classes():
    """Ids are positions in this list: alphabetical, background first, as published."""
    classes = VOCDataset.METAINFO['classes']
    assert len(classes) == 21 and classes[0] == 'background'
    assert list(classes[1:]) == sorted(classes[1:])
    assert classes[15] == 'person' and VOCDataset.METAINFO['palette'][15] == [192, 128, 128]


def test_train_aug_is_made_when_its_list_is_missing(make_voc, write_label, write_image):
    """(train ∪ aug) without val: an image of val in training would inflate every number."""
    root = make_voc(train={'a': [[1]], 'b': [[2]]}, val={'v': [[1]]})
    (root / 'ImageSets/Segmentation/aug.txt').write_text('c\nv\na\n')
    write_image(root / 'JPEGImages/c.jpg', (1, 1))
    write_label(root / 'SegmentationClassAug/c.png', [[3]])
    assert VOCDataset(str(root), 'train_aug').image_ids == ['a', 'b', 'c']


def test_missing_image_and_list(make_voc):
    """Says the path, and that the masks are a separate download."""
    root = make_voc(train_aug={'a': [[1]]}, val={'v': [[1]]})
    (root / 'JPEGImages/a.jpg').unlink()
    with pytest.raises(MissingFileError, match=r"image '.*JPEGImages/a\.jpg' does not exist.*SBD"):
        VOCDataset(str(root), 'train_aug')
    with pytest.raises(MissingFileError, match=r"image list '.*/nope\.txt' does not exist"):
        VOCDataset(str(root), 'nope')


def test_id_out_of_range(make_voc):
    """VOC has ids up to 20; 21 is a mask of something else."""
    root = make_voc(train_aug={'a': [[21]]})
    with pytest.raises(InvalidInputError, match=r"a\.png' has an id .* 21 .*0\.\.20 and void 255"):
        VOCDataset(str(root), 'train_aug').presence(num_workers=1, progress=False)
