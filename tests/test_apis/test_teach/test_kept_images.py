"""``--keep`` copies images beside the taught model, which are replayed when it is taught again."""

import pytest

from incseg.apis.teach import teach
from incseg.engine.checkpoint import StepCheckpoint
from incseg.errors import InvalidInputError
from tests.common.painted_shapes import write_shapes_folder
from tests.common.toy_model import toy_model


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """A model of three classes of Shapes."""
    return toy_model(tmp_path_factory.mktemp('model'))


@pytest.fixture
def learn(tmp_path):
    """Teach a class of Shapes from 8 pictures; returns the result and the lines."""

    def call(start, name, **options):
        if not (tmp_path / name).exists():
            write_shapes_folder(tmp_path / name, {name: 1}, number=8)
        lines = []
        result = teach(
            start,
            tmp_path / name / 'images',
            masks=tmp_path / name / 'masks',
            **{'classes': [name], 'epochs': 1, 'out': tmp_path / f'out_{name}', **options},
            tell=lines.append,
        )
        return result, '\n'.join(lines)

    return call


def test_copies_are_replayed_without_the_folder(model, learn, tmp_path, capsys):
    """If it fails, kept images need the old folder, get lost, or are not shown."""
    first, said = learn(model, 'star', keep=3)
    assert '3 of star will be kept' in said
    memory = first.checkpoint.parent / 'memory/1'
    names = sorted(path.stem for path in (memory / 'images').iterdir())
    assert len(names) == 3 and names == sorted(path.stem for path in (memory / 'masks').iterdir())
    original = tmp_path / 'star/images' / f'{names[0]}.png'
    assert (memory / 'images' / f'{names[0]}.png').read_bytes() == original.read_bytes()
    (tmp_path / 'star').rename(tmp_path / 'gone')
    capsys.readouterr()
    second, said = learn(first.checkpoint, 'cross', keep=2)
    assert '3 kept images are replayed; 2 of cross will be kept' in said
    assert '8 images and 3 of the memory' in capsys.readouterr().out
    entries = StepCheckpoint(second.checkpoint).meta['memory']
    assert [entry['steps'] for entry in entries] == [[1]] * 3 + [[2]] * 2
    copies = second.checkpoint.parent / 'memory'
    assert sorted(path.stem for path in (copies / '1/images').iterdir()) == names
    assert len([*(copies / '2/masks').iterdir()]) == 2


def test_what_is_refused(model, learn, tmp_path):
    """If it fails, images are said to be kept, and are not."""
    for options, message in (
        (dict(keep=-1), '--keep is -1, expected'),
        (dict(keep=2, method='replay'), '--keep 2 and --method replay, which keeps .* by itself'),
    ):
        with pytest.raises(InvalidInputError, match=message):
            learn(model, 'star', **options)
        assert not (tmp_path / 'out_star').exists()
    first, _ = learn(model, 'star', keep=3)
    (first.checkpoint.parent / 'memory').rename(tmp_path / 'moved')
    with pytest.raises(InvalidInputError, match='--keep 1: the model keeps 3 images already'):
        learn(first.checkpoint, 'cross', keep=1)
    _, said = learn(first.checkpoint, 'cross')
    assert 'the 3 images that the model keeps are not in' in said and 'none is replayed' in said
