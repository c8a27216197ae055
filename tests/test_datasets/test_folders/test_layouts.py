"""The layout of a folder is found by the names of its files; what is not clear is refused."""

import pytest

from incseg.datasets.folders.layout import find_layout
from incseg.errors import InvalidInputError, MissingFileError
from tests.common.folders import write_files

COCO = '{"images": [], "annotations": [], "categories": []}'


def layout(root, names, **options):
    """The layout of a folder with files of these names; their content is not read."""
    write_files(root, {name: COCO if name.endswith('.json') else 'x' for name in names.split()})
    return find_layout(str(root), **options)


@pytest.mark.parametrize(
    ('names', 'images', 'masks', 'endings', 'splits'),
    [
        ('images/a.jpg labels/a.png', 'images', 'labels', '.jpg .png', ''),
        (
            'images/train/a.jpg masks/train/a.png images/val/b.jpg masks/val/b.png',
            'images/{split}',
            'masks/{split}',
            '.jpg .png',
            'train val',
        ),
        (
            'train/images/a.png train/labels/a.png valid/images/b.png valid/labels/b.png',
            '{split}/images',
            '{split}/labels',
            '.png .png',
            'train valid',
        ),
        (
            'img_dir/train/a.jpg ann_dir/train/a.png img_dir/val/c.jpg ann_dir/val/c.png',
            'img_dir/{split}',
            'ann_dir/{split}',
            '.jpg .png',
            'train val',
        ),
        (
            'd/JPEGImages/a.jpg d/SegmentationClass/a.png d/SegmentationObject/a.png',
            'd/JPEGImages',
            'd/SegmentationClass',
            '.jpg .png',
            '',
        ),
        (
            'JPEGImages/a.jpg SegmentationClass/a.png SegmentationClassAug/a.png '
            'ImageSets/Segmentation/train.txt ImageSets/Segmentation/trainval.txt '
            'ImageSets/Segmentation/val.txt',
            'JPEGImages',
            'SegmentationClassAug',
            '.jpg .png',
            'train val',
        ),
        ('a.jpg a_mask.png b.jpg b_mask.png', '', '', '.jpg _mask.png', ''),
        ('a.png a_mask.png', '', '', '.png _mask.png', ''),
        ('p/a.jpg p/a.png', 'p', 'p', '.jpg .png', ''),
        (
            'train/1_sat.jpg train/1_mask.png valid/2_sat.jpg valid/2_mask.png',
            '{split}',
            '{split}',
            '_sat.jpg _mask.png',
            'train valid',
        ),
        (
            'train/a_p.png train_labels/a_p_L.png val/b_p.png val_labels/b_p_L.png',
            '{split}',
            '{split}_labels',
            '.png _L.png',
            'train val',
        ),
        ('train/a.png trainannot/a.png', '{split}', '{split}annot', '.png .png', 'train'),
        (
            'leftImg8bit/train/x/a_leftImg8bit.png gtFine/train/x/a_gtFine_labelIds.png '
            'gtFine/train/x/a_gtFine_color.png',
            'leftImg8bit/{split}/x',
            'gtFine/{split}/x',
            '_leftImg8bit.png _gtFine_labelIds.png',
            'train',
        ),
        (
            'images/a.jpg annotations/trimaps/a.png',
            'images',
            'annotations/trimaps',
            '.jpg .png',
            '',
        ),
        ('images/train/a.jpg masks/a.png', 'images/{split}', 'masks', '.jpg .png', 'train'),
    ],
)
def test_masks_in_files(tmp_path, names, images, masks, endings, splits):
    """If it fails, a usual folder has to be described by hand, or the wrong files are read."""
    found = layout(tmp_path, names)
    assert (found.images, found.masks) == (images, masks)
    assert ' '.join([*found.image_suffixes, found.mask_suffix]) == endings
    assert ' '.join(found.splits) == splits


@pytest.mark.parametrize(
    ('names', 'images', 'masks', 'splits'),
    [
        (
            'images/a.jpg annotations/instances_default.json',
            'images',
            '*/instances_default.json',
            '',
        ),
        (
            'train2017/a.jpg val2017/b.jpg annotations/instances_train2017.json '
            'annotations/instances_val2017.json annotations/captions_val2017.json',
            '{split}',
            '*/instances_{split}.json',
            'train2017 val2017',
        ),
        (
            'train/a.jpg train/_annotations.coco.json valid/a.jpg valid/_annotations.coco.json',
            '{split}',
            '{split}/_annotations.coco.json',
            'train valid',
        ),
        ('a.jpg result.json', '', 'result.json', ''),
    ],
)
def test_masks_in_json(tmp_path, names, images, masks, splits):
    """If it fails, an export of COCO, Roboflow or Label Studio is not read as it is."""
    found = layout(tmp_path, names)
    assert (found.images, found.masks) == (images, masks.replace('*', 'annotations'))
    assert found.is_coco and ' '.join(found.splits) == splits


def test_splits_without_masks_are_told_apart(tmp_path):
    """If it fails, a test split without masks is scored, or stops everything."""
    found = layout(tmp_path, 'train/images/a.jpg train/masks/a.png test/images/b.jpg')
    assert (found.splits, found.unlabelled) == (('train',), ('test',))


def test_the_user_names_folders(tmp_path):
    """If it fails, there is no way out of a folder that may be read in two ways."""
    names = 'images/a.jpg labels/a.png masks/a.png extra/train/a.png'
    assert layout(tmp_path, names, masks='masks').masks == 'masks'
    assert layout(tmp_path, names, images='images', masks='labels').masks == 'labels'
    assert layout(tmp_path, names, images='extra/{split}', masks=None).splits == ('train',)


INVALID, MISSING = InvalidInputError, MissingFileError
TWO = 'images/a.jpg labels/a.png masks/a.png'
ONE = 'images/a.jpg masks/a.png'


@pytest.mark.parametrize(
    ('names', 'masks', 'error', 'message'),
    [
        (TWO, 'auto', INVALID, "2 folders .* of masks: 'labels', 'masks'.*--masks labels"),
        ('photos/a.jpg ' + ONE, 'auto', INVALID, "2 folders .* of images: 'images', 'photos'"),
        ('images/a.jpg', 'auto', MISSING, "has no masks: pictures lie in 'images'; expected"),
        ('x/a.jpg y/a.jpg', 'auto', MISSING, "has no masks: pictures lie in 'x' or 'y'"),
        ('masks/a.png', 'auto', MISSING, 'has no images; expected images and masks'),
        ('images/a.jpg masks/b.png', 'auto', INVALID, 'no mask has the name of an image .*b.png'),
        ('images/a.jpg masks/a.jpg', 'auto', INVALID, 'masks are JPEGs .a.jpg., whose compression'),
        (
            'images/a.jpg masks/a_x.png masks/a_y.png',
            'auto',
            INVALID,
            "several masks, with the endings '_x.png', '_y.png'.*seg_map_suffix",
        ),
        ('images/a.jpg masks/train/a.png', 'auto', INVALID, r'splits of masks .masks/.split.. but'),
        ('readme.txt', 'auto', MISSING, r'has no pictures \(1 files\); expected images and masks'),
        ('', 'auto', MISSING, 'is empty; expected images and masks'),
        (ONE, 'seg', MISSING, "masks is 'seg', but .* with pictures: 'images' or 'masks'"),
        (ONE + ' a.json', 'b.json', MISSING, "masks is 'b.json', but .*, expected 'a.json'"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path, names, masks, error, message):
    """If it fails, a newcomer's folder ends in a traceback, or is read in a way nobody meant."""
    tmp_path.joinpath('f').mkdir()
    with pytest.raises(error, match=message) as caught:
        layout(tmp_path / 'f', names, masks=masks)
    assert '\n' not in str(caught.value)


def test_no_folder(tmp_path):
    """If it fails, a file in place of a folder, or a misspelt one, is not said."""
    path = write_files(tmp_path, {'a.zip': 'x'}) / 'a.zip'
    with pytest.raises(InvalidInputError, match=r'a\.zip.* is no folder'):
        find_layout(str(path))
    with pytest.raises(MissingFileError, match='nowhere.* does not exist'):
        find_layout(str(tmp_path / 'nowhere'))
