"""The size of a picture is that of the decoded one, from the head and the end of its file."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils import file_digests
from incseg.utils.pictures import read_picture, sizes

KINDS = {
    'a.jpg': {},
    'progressive.jpg': dict(progressive=True),
    'grey.jpg': dict(mode='L'),
    'cmyk.jpg': dict(mode='CMYK'),
    'comment.jpg': dict(comment=b'\xff\xd9\xff\xda' * 50),
    'a.png': {},
    'palette.png': dict(mode='P'),
    'a.bmp': {},
    'a.webp': {},
    'a.tif': {},
}


def write(path, mode='RGB', size=(13, 7), orientation=None, **options):
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options['exif'] = exif
    Image.fromarray(noise).convert(mode).save(path, **options)
    return str(path)


@pytest.mark.parametrize('name', KINDS)
def test_the_size_is_that_of_the_decoded_picture(tmp_path, name):
    """If it fails, a start refuses pictures that fit their masks, or takes others."""
    path = write(tmp_path / name, **KINDS[name])
    assert sizes.picture_sizes([path]) == [(7, 13)] == [read_picture(path).shape[:2]]


@pytest.mark.parametrize('name', ['a.jpg', 'a.png', 'a.webp'])
@pytest.mark.parametrize('orientation', [*range(1, 9), 0, 9])
def test_a_picture_on_its_side(tmp_path, name, orientation):
    """If it fails, a photograph of a telephone that was held upright does not fit its mask."""
    path = write(tmp_path / name, orientation=orientation)
    assert sizes.picture_sizes([path]) == [read_picture(path).shape[:2]]


def test_no_pixel_is_decoded(tmp_path, monkeypatch):
    """If it fails, the start of a run decodes all pictures."""
    paths = [write(tmp_path / name) for name in ('a.jpg', 'b.png')]
    paths.append(write(tmp_path / 'c.jpg', orientation=6))
    monkeypatch.setattr(sizes, 'read_picture', None)
    assert sizes.picture_sizes(paths) == [(7, 13), (7, 13), (13, 7)]


def broken(content):
    """Damaged contents of a file, by name."""
    return {
        'cut': content[:-30],
        'half': content[: len(content) // 2],
        'head': content[:20],
        'zeros': content[:-40] + bytes(40),
        'empty': b'',
        'text': b'not a picture',
    }


@pytest.mark.parametrize(
    ('name', 'damage'),
    [
        (name, damage)
        for name in ('a.jpg', 'a.png', 'a.bmp')
        for damage in broken(b'')
        if (name, damage) != ('a.bmp', 'zeros')  # these are pixels
    ],
)
def test_a_broken_picture(tmp_path, name, damage):
    """If it fails, a download that broke off is found when its turn comes, hours later."""
    path = write(tmp_path / name, size=(40, 30))
    (tmp_path / name).write_bytes(broken((tmp_path / name).read_bytes())[damage])
    with pytest.raises(InvalidInputError, match=name):
        sizes.picture_sizes([path])


def test_a_picture_with_more_behind_its_end(tmp_path):
    """If it fails, photographs of some telephones, with a film behind the picture, are refused."""
    for name in ('a.jpg', 'a.png'):
        path = write(tmp_path / name)
        with open(path, 'ab') as file:
            file.write(b'film' * 9)
        assert sizes.picture_sizes([path]) == [(7, 13)]


def test_a_missing_picture(tmp_path):
    """If it fails, a picture that was removed meanwhile ends in a traceback."""
    with pytest.raises(MissingFileError, match='gone.jpg'):
        sizes.picture_sizes([str(tmp_path / 'gone.jpg')])


def test_files_are_read_once(tmp_path, monkeypatch):
    """If it fails, every start reads the heads of all files again; or the pictures of one split
    are forgotten as soon as another in the same folder is read."""
    monkeypatch.setattr(file_digests, 'YOUNG', 0)
    glances = []
    look = sizes.size_at_a_glance
    monkeypatch.setattr(
        sizes, 'size_at_a_glance', lambda path, *more: glances.append(path) or look(path)
    )
    train, test = ([write(tmp_path / f'{split}{i}.jpg') for i in range(3)] for split in 'ab')
    for _ in range(3):
        sizes.picture_sizes(train)
        sizes.picture_sizes(test)
    assert sorted(glances) == sorted(train + test)
    write(tmp_path / 'a1.jpg', size=(5, 6))
    assert sizes.picture_sizes(train) == [(7, 13), (6, 5), (7, 13)]
    assert len(glances) == 7


def test_a_label_map_is_read_where_it_is_no_png(tmp_path):
    """If it fails, label maps of another kind are not compared with their images."""
    ids = np.zeros((4, 9), np.uint8)
    for name in ('a.png', 'a.bmp'):
        content = io.BytesIO()
        Image.fromarray(ids).save(content, name[2:])
        (tmp_path / name).write_bytes(content.getvalue())
    paths = [str(tmp_path / name) for name in ('a.png', 'a.bmp')]
    read = []

    def reader(path):
        read.append(path)
        return cv2.imread(path, cv2.IMREAD_GRAYSCALE)

    assert sizes.label_map_sizes(paths, reader) == [(4, 9), (4, 9)]
    assert read == paths[1:]
