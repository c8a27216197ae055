"""Endings, accents and folders of images and label maps; a hint where one is missing."""

import unicodedata

import pytest

from incseg.datasets import SegDataset
from incseg.errors import InvalidInputError, MissingFileError

META = dict(classes=('background', 'cat'))


@pytest.fixture
def pets(tmp_path, write_image, write_label):
    """A data set with one image and one mask of given names."""

    def make(image='a.jpg', mask='a.png', masks='labels/train', **arguments):
        write_image(tmp_path / 'images/train' / image, (1, 2))
        write_label(tmp_path / masks / mask, [[0, 1]])
        return SegDataset(str(tmp_path), metainfo=META, **arguments)

    return make


@pytest.mark.parametrize(('key', 'value'), [('img_suffix', 'jpg'), ('seg_map_suffix', 'png')])
def test_an_ending_without_its_dot(pets, key, value):
    assert pets(**{key: value}).image_ids == ['a']


@pytest.mark.parametrize('value', ['', [], 3, [''], ['.jpg', None]])
def test_no_ending(pets, value):
    with pytest.raises(InvalidInputError, match='img_suffix is .*, expected an ending of files'):
        pets(img_suffix=value)


def test_accents_of_two_forms(pets):
    """If it fails, images of a Mac find no mask of an equal name."""
    composed = unicodedata.normalize('NFC', 'hündin')
    dataset = pets(f'{unicodedata.normalize("NFD", composed)}.jpg', f'{composed}.png')
    assert dataset.label_reader(dataset.entries()[0]['seg_map_path']).tolist() == [[0, 1]]


def test_hidden_folders_are_left_out(pets, tmp_path, write_image):
    write_image(tmp_path / 'images/train/.ipynb_checkpoints/a-checkpoint.jpg', (1, 2))
    assert pets().image_ids == ['a']


def test_an_ending_of_images_that_masks_lack(pets):
    with pytest.raises(MissingFileError, match="'a.png': if '_img' is no part of the name, beg"):
        pets('a_img.jpg')
    assert pets('a_img.jpg', img_suffix='_img.jpg').image_ids == ['a']


def test_another_folder_of_masks(pets):
    message = "folder of label maps '.*labels/train' does not exist; .*set data_prefix.seg_map_path"
    with pytest.raises(MissingFileError, match=message):
        pets(masks='masks/train')


@pytest.mark.parametrize('indices', [[0, 9], [1]])
def test_indices_beyond_the_images(pets, indices):
    """If it fails, it is a traceback of the loader."""
    with pytest.raises(InvalidInputError, match=r'indices of SegDataset train is .* below 1'):
        pets(indices=indices)
    assert len(pets(indices=[0])) == len(pets(indices=5)) == 1
