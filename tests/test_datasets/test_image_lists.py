from pathlib import Path

import pytest

from incseg.datasets import image_lists
from incseg.errors import InvalidInputError, MissingFileError

HOW = 'ask the author'


def test_ids_are_relative_and_sorted(tmp_path):
    """Nested folders (Cityscapes) give ids with their folder; an unsorted list is not stable."""
    for name in ('b/2_img.png', 'a/1_img.png', 'c_img.png', 'readme.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert image_lists.ids_in_folder(str(tmp_path), ['_img.png'], HOW) == ['a/1', 'b/2', 'c']


def test_list_skips_blank_lines(tmp_path):
    """Lists from Windows or with a trailing blank line must not yield an id of nothing."""
    (tmp_path / 'l.txt').write_bytes(b'one\r\n\r\ntwo \n\n')
    assert image_lists.read_id_list(str(tmp_path / 'l.txt'), HOW) == ['one', 'two']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'\n \n', 'is empty; allowed is one image id per line'),
        (b'\xff\xfe\x80', 'cannot be read as text'),
    ],
)
def test_bad_lists_are_named(tmp_path, content, message):
    """An empty or binary list would otherwise surface much later, as an empty step."""
    (tmp_path / 'l.txt').write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        image_lists.read_id_list(str(tmp_path / 'l.txt'), HOW)


def test_pair_files_reports_the_first_and_how_many(tmp_path):
    """The message says which path was looked for; checked before training, not at epoch 3."""
    for name in ('i/a.jpg', 'i/b.png', 'l/a.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    arguments = (tmp_path / 'i', ('.jpg', '.png'), tmp_path / 'l', '.png', HOW)
    pairs = image_lists.pair_files(['a'], *arguments)
    assert pairs == [
        dict(
            image_id='a', img_path=str(tmp_path / 'i/a.jpg'), seg_map_path=str(tmp_path / 'l/a.png')
        )
    ]
    with pytest.raises(MissingFileError) as error:
        image_lists.pair_files(['a', 'b'], *arguments)
    assert str(error.value) == (
        f"label file '{tmp_path / 'l/b.png'}' does not exist (1 of 2 are missing); ask the author"
    )
    with pytest.raises(MissingFileError, match=r"image '.*c\.jpg' does not exist \(2 of 3"):
        image_lists.pair_files(['a', 'c', 'd'], *arguments)


def test_split_leaves_other_braces():
    """A data root with braces in its name is a legal path."""
    assert image_lists.at_split('/d{0}/{split}.txt', 'val') == '/d{0}/val.txt'


def test_repeated_image_is_named():
    """An image in the list twice would be trained on and counted twice."""
    with pytest.raises(InvalidInputError, match=r"image 'b' is listed twice in split train\+val"):
        image_lists.check_unique(['a', 'b', 'b'], ['train', 'val'])


def test_roots(tmp_path):
    """Missing, a file and an empty folder are three different mistakes."""
    (tmp_path / 'file').touch()
    (tmp_path / 'empty').mkdir()
    for name, kind, message in (
        ('none', MissingFileError, 'does not exist'),
        ('file', InvalidInputError, 'is no folder'),
        ('empty', MissingFileError, 'is empty'),
    ):
        with pytest.raises(kind, match=f"data_root '.*{name}' {message}; {HOW}"):
            image_lists.check_root(str(tmp_path / name), HOW)
    image_lists.check_root(str(Path(tmp_path)), HOW)


def test_missing_masks_may_be_marked(tmp_path, write_image, write_label):
    """An image without a mask keeps the path where it would be; a missing image stays an error."""
    write_image(tmp_path / 'i/a.jpg')
    write_image(tmp_path / 'i/b.jpg')
    write_label(tmp_path / 'l/a.png', [[0]])
    folders = (tmp_path / 'i', ['.jpg'], tmp_path / 'l', '.png', HOW)
    first, second = image_lists.pair_files(['a', 'b'], *folders, partly_labelled=True)
    assert 'has_mask' not in first
    assert second['has_mask'] is False and second['seg_map_path'] == str(tmp_path / 'l/b.png')
    with pytest.raises(MissingFileError, match=r"image '.*c.jpg' does not exist"):
        image_lists.pair_files(['c'], *folders, partly_labelled=True)
