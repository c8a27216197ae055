"""Painted pictures: the user's own are never written over, whatever their names."""

import os

import numpy as np
import pytest

from incseg.apis import Inferencer
from incseg.apis.image_files import painted_files
from incseg.engine import train_protocol
from incseg.errors import InvalidInputError
from incseg.utils.pictures import write_picture

ODD = os.fsdecode(b'bild_\xff')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    return tmp_path_factory.mktemp('trained')


@pytest.fixture
def segment(tiny, trained):
    """An Inferencer; its network is trained once."""
    path = trained / 'run/step_0/final.pth'
    if not path.exists():
        train_protocol(tiny(epochs=1), trained / 'run', [0], reuse=False)
    return Inferencer(tiny(), path, device='cpu')


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(('a.png', f'{ODD}.png', 'b.jpg')):
        write_picture(tmp_path / 'in' / name, np.full((20, 30, 3), 80 + i, np.uint8))
    return tmp_path / 'in'


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize('force', [False, True])
@pytest.mark.parametrize('way', ['same', 'link to the folder', 'links to the pictures'])
def test_the_users_pictures_stay(segment, folder, tmp_path, way, force):
    """If it fails, `segment(folder, out_dir=folder)` destroys the pictures that it was given."""
    out = folder if way == 'same' else tmp_path / 'out'
    if way == 'link to the folder':
        out.symlink_to(folder)
    elif way == 'links to the pictures':
        out.mkdir()
        os.link(folder / 'a.png', out / 'a.png')
    before = contents(folder)
    with pytest.raises(InvalidInputError, match=r"output '.*' is the input.*nothing was written"):
        segment(folder, out_dir=out, force=force)
    assert contents(folder) == before


def test_earlier_output_is_kept(segment, folder, tmp_path):
    """If it fails, painted pictures of an earlier network are lost unasked."""
    segment(folder, out_dir=tmp_path / 'out')
    before = contents(tmp_path / 'out')
    assert sorted(before) == ['a.png', 'b.png', f'{ODD}.png']
    (tmp_path / 'out/a.png').unlink()
    with pytest.raises(InvalidInputError, match=r'\(2 of 3 are there\): nothing was written'):
        segment(folder, out_dir=tmp_path / 'out', opacity=1.0)
    assert sorted(contents(tmp_path / 'out')) == ['b.png', f'{ODD}.png']
    assert len(segment(folder, out_dir=tmp_path / 'out', opacity=1.0, force=True)) == 3
    after = contents(tmp_path / 'out')
    assert after.keys() == before.keys() and after != before


def test_damaged_pictures_are_named(segment, folder):
    """If it fails, half a picture is segmented as if the rest were grey."""
    path = folder / 'b.jpg'
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InvalidInputError, match=r"image '.*b.jpg' .*expected a complete"):
        segment(folder)


def test_arrays_and_equal_names(tmp_path):
    """If it fails, two pictures go to one file."""
    array = np.zeros((2, 2, 3), np.uint8)
    images = ['x/a.jpg', array, 'y/a.png', 'y/000001.png']
    assert [path.name for path in painted_files(images, tmp_path)] == [
        'a.png',
        '000001.png',
        'a_000002.png',
        '000001_000003.png',
    ]
