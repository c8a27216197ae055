"""The images of a new class in the forms that folders have."""

import json

import cv2
import numpy as np
import pytest

from incseg.apis.teach.mask_classes import named_classes
from incseg.apis.teach.new_images import new_images
from incseg.errors import UserError
from tests.common.folders import write_files

KNOWN = ['cat']


def files_of(prefix, count, value=1, kind='masks', start=0):
    """Pictures and masks below ``prefix``; every picture is another one."""
    files = {}
    for i in range(start, start + count):
        mask = np.zeros((16, 16), np.uint8)
        mask[4:9, 4:9] = value
        picture = np.random.default_rng(i).integers(0, 256, (16, 16, 3)).astype(np.uint8)
        files[f'{prefix[0]}/{i:03d}.png'], files[f'{prefix[1]}/{i:03d}.png'] = picture, mask
    return files


@pytest.fixture
def look(tmp_path):
    """Look at a folder for the class ``horse``; ``look('images', 'masks', val=8)``."""

    def call(images, masks=None, classes=('horse',), **options):
        given = None if masks is None else tmp_path / masks
        return new_images(tmp_path / images, given, named_classes(classes, KNOWN), **options)

    return call


def test_train_and_val_inside(look, tmp_path):
    """If it fails, test pictures are learned from, or a value of their masks is found too late."""
    write_files(tmp_path, files_of(('images/train', 'masks/train'), 6))
    write_files(tmp_path, files_of(('images/val', 'masks/val'), 3, start=6))
    found = look('images', 'masks')
    assert (found.number, found.tested) == (6, 3)
    assert 'its split val' in found.told[1]
    with pytest.raises(UserError, match="--val is '0.2', expected auto, none or a folder"):
        look('images', 'masks', val='0.2')
    mask = cv2.imread(str(tmp_path / 'masks/val/007.png'), cv2.IMREAD_GRAYSCALE)
    mask[0, 0] = 7
    cv2.imwrite(str(tmp_path / 'masks/val/007.png'), mask)
    with pytest.raises(UserError, match='holds the values? .*7'):
        look('images', 'masks')
    (tmp_path / 'masks/val/008.png').unlink()
    with pytest.raises(UserError, match=r'1 of 3 images .* have no mask, first .*val/008\.png'):
        look('images', 'masks', classes=('horse=1',), others='void')


def test_only_train_inside(look, tmp_path):
    """If it fails, the advice is an option that teach does not have."""
    write_files(tmp_path / 'all', files_of(('train/images', 'train/masks'), 30))
    found = look('all')
    assert found.number + found.tested == 30 and found.tested >= 5


@pytest.mark.parametrize(('val', 'tested'), [(10, 10), ('7', 7), ('none', 0)])
def test_a_number_of_test_images(look, tmp_path, val, tested):
    """If it fails, another number is tested on than the user says."""
    write_files(tmp_path, files_of(('images', 'masks'), 30))
    found = look('images', 'masks', val=val)
    assert (found.number, found.tested) == (30 - tested, tested)


@pytest.mark.parametrize('val', [200, 1, 'nan', -3, 7.5])
def test_no_number_of_test_images(look, tmp_path, val):
    """If it fails, a number is cut to another one in silence."""
    write_files(tmp_path, files_of(('images', 'masks'), 30))
    with pytest.raises(UserError, match='--val is .*, expected a share above 0 and below 1, a '):
        look('images', 'masks', val=val)


def test_a_folder_to_test_on(look, tmp_path):
    """If it fails, pictures in a folder of their own cannot be tested on."""
    write_files(tmp_path, files_of(('images', 'masks'), 6))
    write_files(tmp_path / 'other', files_of(('images', 'masks'), 4, start=50))
    found = look('images', 'masks', val=str(tmp_path / 'other'))
    assert (found.number, found.tested) == (6, 4)


def test_unrelated_folders_and_masks_beside(look, tmp_path):
    """If it fails, only folders side by side can be read."""
    write_files(tmp_path, files_of(('here/photos', 'far/away/painted'), 6))
    assert look('here/photos', 'far/away/painted').number == 6
    files = files_of(('a', 'b'), 6)
    flat = {f'flat/{n[2:-4]}{"_mask" if n[0] == "b" else ""}.png': v for n, v in files.items()}
    write_files(tmp_path, flat)
    assert look('flat').number == 6
    assert look('flat', 'flat').number == 6, 'one folder for both'


def test_a_json_file(look, tmp_path):
    """If it fails, who annotates in COCO's form cannot teach."""
    write_files(tmp_path / 'j', files_of(('images', 'unused'), 6))
    for file in (tmp_path / 'j/unused').iterdir():
        file.unlink()
    (tmp_path / 'j/unused').rmdir()
    box = [[4, 4, 9, 4, 9, 9, 4, 9]]
    content = dict(
        images=[dict(id=i, file_name=f'{i:03d}.png', height=16, width=16) for i in range(6)],
        annotations=[
            dict(id=i, image_id=i, category_id=1, segmentation=box, area=25, bbox=[4, 4, 5, 5],
                 iscrowd=0)
            for i in range(6)
        ],
        categories=[dict(id=1, name='Horse')],
    )  # fmt: skip
    (tmp_path / 'j/annotations.json').write_text(json.dumps(content))
    assert look('j/images', 'j/annotations.json', classes=('horse=Horse',)).number == 6
    assert look('j', classes=('Horse',)).number == 6, 'it is found without --masks'
