"""A class is learned from images whose labels say what they show, and from no mask."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from incseg.apis.teach import teach
from incseg.engine.checkpoint import StepCheckpoint
from incseg.errors import InvalidInputError, UserError
from tests.common.folders import write_files
from tests.common.painted_shapes import write_shapes_folder
from tests.common.toy_model import toy_model

#: a SEAM that trains in seconds
SMALL = {'seam': 'shapes', 'seam.schedule.epochs': 3, 'seam.inference.scales': (1.0,)}


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """A model of three classes of Shapes."""
    return toy_model(tmp_path_factory.mktemp('model'))


@pytest.fixture
def call(model, tmp_path):
    """Teach from ``tmp_path/images``; returns the result and the lines."""

    def call(**options):
        lines = []
        given = dict(classes=['star'], out=tmp_path / 'out', epochs=1, options=SMALL)
        result = teach(model, tmp_path / 'images', **{**given, **options}, tell=lines.append)
        return result, '\n'.join(lines)

    return call


@pytest.fixture
def stars(tmp_path):
    """Write 30 pictures of Shapes, some with a star; returns which have one, by file name."""
    write_shapes_folder(tmp_path, dict(star=1), number=30)
    shown = {}
    for path in sorted((tmp_path / 'masks').iterdir()):
        shown[path.name] = bool((np.array(Image.open(path)) == 1).any())
    return shown


def test_tags_of_images(call, stars, tmp_path):
    """If it fails, labels in place of masks teach nothing, or the wrong images show the class."""
    tags = {name: ['star', 'disc'] if has else [] for name, has in stars.items()}
    (tmp_path / 'tags.json').write_text(json.dumps(tags))
    result, said = call(labels=tmp_path / 'tags.json')
    assert StepCheckpoint(result.checkpoint).meta['classes'][-1] == 'star'
    assert StepCheckpoint(result.checkpoint).meta['method'] == 'mib_s'
    assert f'without masks: {sum(stars.values())} show star' in said
    assert f'{30 - sum(stars.values())} of the images show none of the classes' in said
    maps = sorted((tmp_path / 'out/pseudo_labels/offline/0/labels').iterdir())
    asked = [name for name in stars if name not in {path.name for path in maps}]
    assert (
        f'{len(maps)} to learn from, {len(asked)} to test on, by image' in said and len(asked) >= 5
    )
    empty = [path for path in maps if not stars[path.name]]
    assert not any(np.array(Image.open(path)).any() for path in empty), 'no star, by its label'
    assert {*np.unique([np.array(Image.open(path)) for path in maps])} <= {0, 1, 255}
    assert re.search(r'labels   SEAM finds star in \d+ of \d+ images, on \d+ % of their', said)
    found = result.found['star']
    assert found.shown == sum(stars[name] for name in asked) and found.both <= found.found
    assert 'found    star: recall ' in said and result.after['star'] is None
    scores = json.loads((tmp_path / 'out/found.json').read_text())['star']
    assert (scores['shown'], scores['recall']) == (found.shown, found.recall)
    content = result.checkpoint.read_bytes()
    again, _ = call(labels=tmp_path / 'tags.json', resume=True)
    assert again.checkpoint.read_bytes() == content
    with pytest.raises(InvalidInputError, match='--resume'):
        call(labels=tmp_path / 'tags.json')


def test_each_image_shows_the_class(call, stars, tmp_path):
    """If it fails, SEAM learns a constant, or images without the class do not help."""
    (tmp_path / 'without').mkdir()
    for name in [name for name, has in stars.items() if not has]:
        (tmp_path / 'images' / name).rename(tmp_path / 'without' / name)
    number = sum(stars.values())
    message = f"each of the {number} images shows 'star', so nothing tells what a star is; expected"
    with pytest.raises(InvalidInputError, match=message):
        call(labels='all')  # the toy network is sure of no old class
    assert not (tmp_path / 'out/results.json').exists(), 'nothing was trained'
    result, said = call(negatives=tmp_path / 'without', out=tmp_path / 'out2')
    assert f'the images in {tmp_path}/without show none of the classes' in said
    assert StepCheckpoint(result.checkpoint).meta['classes'][-1] == 'star'


def test_the_old_network_tells_what_the_class_is_not(call, stars, tmp_path, monkeypatch):
    """If it fails, a model of several steps is of no use where each image shows the class."""
    from incseg.apis.teach import pseudo_labels

    def most_likely(self, images):
        shape = (len(images), *images.shape[2:])
        return torch.ones(shape), torch.full(shape, 2)

    monkeypatch.setattr(pseudo_labels.TaughtNetwork, 'most_likely', most_likely)
    result, said = call(labels='all')
    assert 'the model finds in them what it is not' in said
    maps = [*(tmp_path / 'out/pseudo_labels/3-1/1/labels').iterdir()]
    assert {*np.unique([np.array(Image.open(path)) for path in maps])} <= {0, 4, 255}
    assert StepCheckpoint(result.checkpoint).meta['classes'][-1] == 'star'


@pytest.fixture
def crates(tmp_path):
    """Write six pictures ``h_0000.png``, …; ``crates(tags)`` writes their labels."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    write_files(tmp_path, {f'images/h_{i:04d}.png': picture + np.uint8(i) for i in range(6)})

    def write(tags):
        path = tmp_path / 'tags.json'
        path.write_text(tags if isinstance(tags, str) else json.dumps(tags))
        return path

    return write


EACH = {f'h_{i:04d}': ['crate'] for i in range(6)}


@pytest.mark.parametrize(
    ('tags', 'message'),
    [
        (
            {**EACH, 'h_001': []},
            "tags.json names 1 images that are not in .*images, first 'h_001'; expected names such "
            "as 'h_0001'",
        ),
        (
            {'h_0001': ['crate']},
            "tags.json lacks 5 of the 6 images in .*, first 'h_0000'",
        ),
        ({**EACH, 'h_0001': ['crte']}, "names the class 'crte', .* did you mean 'crate'"),
        (dict.fromkeys(EACH, []), "tags.json names no image of 'crate'"),
        ({**EACH, 'h_0001': 'crate'}, "tags.json has 'crate' for 'h_0001', expected {"),
        ('["crate"]', '--labels is .*tags.json., expected a JSON object, {'),
        ('crate', '--labels is .*tags.json., expected a JSON file, {'),
    ],
)
def test_labels_that_do_not_fit(call, crates, tags, message, tmp_path):
    """If it fails, an image is learned with the label of another one, or the user sees a trace."""
    with pytest.raises(UserError, match=message):
        call(labels=crates(tags), classes=['crate'])
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(labels='gone.json'), "--labels is 'gone.json', which is not there"),
        (dict(labels='all', masks='m'), '--masks and --labels are both given, expected one: masks'),
        (dict(negatives='n', masks='m'), '--masks and --negatives are both given'),
        (dict(negatives='gone'), "--negatives is 'gone', expected a folder of images"),
        (dict(labels='all', classes=['crate', 'box']), "same 6 images show 'crate' and 'box', so"),
        (dict(labels='all', classes=['crate', 'disc=1']), "--classes has 'disc', which the model"),
        (dict(options={}), 'without masks, --labels FILE says which images show the class'),
        (dict(labels='all', classes=['crate=1']), 'expected crate: no mask has values'),
        (dict(labels='all', options={'seam': 'r5'}), "seam is 'r5', expected .*'r50'"),
        (dict(labels='all', options={'seam.epoch': 1}), 'seam.epoch'),
        (dict(options=SMALL, masks='images'), '--cfg-options seam is for images without masks'),
    ],
)  # fmt: skip
def test_options(call, crates, options, message, tmp_path):
    """If it fails, a wrong option is a traceback, or is found after the training."""
    with pytest.raises(UserError, match=message):
        call(**{'classes': ['crate'], **options})
    assert not (tmp_path / 'out').exists()


def test_negatives_that_are_to_be_learned(call, crates, tmp_path):
    """If it fails, an image is said to show the class and not to show it."""
    with pytest.raises(InvalidInputError, match=r'6 images of --negatives are also in --images'):
        call(negatives=tmp_path / 'images', classes=['crate'])
