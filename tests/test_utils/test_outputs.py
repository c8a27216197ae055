"""Outputs of tools: nothing that was there is lost, and no input is written over."""

import os

import pytest

from incseg.errors import InvalidInputError
from incseg.utils.outputs import check_outputs, free_names


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(b'mine')
    return path


def test_nothing_there(tmp_path, picture):
    """If it fails, a tool cannot write at all; an input that is missing is another's error."""
    check_outputs([tmp_path / 'b.png', tmp_path / 'new/a.png'], [picture, tmp_path / 'gone'])


def test_what_is_there_is_kept(tmp_path, picture):
    """If it fails, a tool with a mistyped output replaces a file of the user's."""
    with pytest.raises(InvalidInputError, match=r"output '.*a.png' exists already: nothing was"):
        check_outputs([picture])
    with pytest.raises(InvalidInputError, match=r'\(1 of 2 are there\).*force=True \(--force\)'):
        check_outputs([tmp_path / 'b.png', picture])
    check_outputs([picture], force=True)
    check_outputs([picture], own=True)


@pytest.mark.parametrize('options', [{}, dict(force=True), dict(own=True)])
@pytest.mark.parametrize(
    'way', ['itself', 'other words', 'soft link', 'hard link', 'link as input']
)
def test_an_input_is_never_an_output(tmp_path, picture, way, options):
    """If it fails, a picture is replaced by what was made of it, with --force or without."""
    output, source = tmp_path / 'link.png', picture
    if way == 'itself':
        output = picture
    elif way == 'other words':
        output = tmp_path / 'x/../a.png'
        (tmp_path / 'x').mkdir()
    elif way == 'soft link':
        output.symlink_to(picture)
    elif way == 'hard link':
        os.link(picture, output)
    else:
        output.symlink_to(picture)
        output, source = picture, output
    with pytest.raises(InvalidInputError, match=r"output '.*' is the input"):
        check_outputs([tmp_path / 'free.png', output], [source], **options)
    assert picture.read_bytes() == b'mine'


def test_a_link_to_nothing_is_something(tmp_path):
    """If it fails, a link whose disk is not mounted is replaced."""
    (tmp_path / 'a.png').symlink_to(tmp_path / 'unmounted/a.png')
    with pytest.raises(InvalidInputError, match='exists already'):
        check_outputs([tmp_path / 'a.png'])


def test_names_are_free():
    """If it fails, two pictures are written to one file: also where a number is a name itself."""
    assert free_names(['a', 'b', 'a', 'a_000004', 'a']) == [
        'a',
        'b',
        'a_000002',
        'a_000004',
        'a_000004_000004',
    ]
