"""Steps of an open protocol in a config: what is refused, in one line, and what is filled in."""

import pytest

from incseg.apis import load_config
from incseg.engine import Experiment
from incseg.errors import InvalidInputError
from tests.conftest import CONFIGS, TINY

FOLDER = dict(type='FolderDataset', data_root='data/horses', ids=dict(horse=1, disc=2))
BASE = dict(classes=['disc', 'square'])
HORSE = dict(classes=['horse'], data=dict(train=FOLDER, test=0.2))


def load(steps, method='mib', sizes='4-1', **options):
    protocol = dict(name='open', steps=steps)
    leaf = CONFIGS / method / f'bisenet_r18_shapes_{sizes}.py'
    return load_config(leaf, {**TINY, 'protocol': protocol, **options})


def horse(**changes):
    return dict(base=BASE, horse={**HORSE, **changes})


def test_what_a_step_has_without_saying():
    """If it fails, a folder's pictures without the class are thrown away, or its other
    annotation; or a step of the config's data set is labelled as no protocol labels it."""
    experiment = Experiment(load(horse()))
    sources = experiment.sources
    first, second = sources.plan.steps
    assert (first.old_labels, first.images) == (False, 'overlap')
    assert (second.old_labels, second.images) == (True, 'all')
    assert first.source.annotates[:2] == ('disc', 'square') and first.source.name == 'shapes'
    assert second.source.name == 'horse' and second.source.annotates == ('horse', 'disc')
    assert sources.data(1, 'train')['held_out'] == sources.data(1, 'test')['held_out'] == 0.2
    assert sources.data(1, 'test')['split'] == 'val'
    assert experiment.classes_at(1) == ['background', 'disc', 'square', 'horse']
    assert sources.reported() == (['disc', 'square'], ['horse'])
    palette = sources.palette(1)
    assert len({tuple(colour) for colour in palette}) == 4


def test_colours_of_two_folders_differ():
    """If it fails, two classes look alike in every picture: each folder's first class is red."""
    steps = dict(
        a=dict(classes=['horse'], data=dict(train=FOLDER, test=0.2)),
        b=dict(classes=['cow'], data=dict(train=dict(FOLDER, ids=dict(cow=1)), test=0.2)),
    )
    palette = Experiment(load(steps)).sources.palette(1)
    assert len({tuple(colour) for colour in palette}) == 3 and palette[1] == [128, 0, 0]


def test_steps_of_one_data_set_share_their_source():
    """If it fails, the same test images are predicted several times."""
    more = dict(classes=['star'])
    sources = Experiment(load(dict(base=BASE, more=more, horse=HORSE))).sources
    parts = sources.test_parts(2)
    assert [part.name for part in parts] == ['base', 'horse'] and not sources.one_home(2)
    assert [part.home_of for part in parts] == [['background', 'disc', 'square', 'star'], ['horse']]
    assert sources.one_home(1) and len(sources.test_parts(1)) == 1


@pytest.mark.parametrize(
    ('steps', 'message'),
    [
        (None, 'protocol.steps is None, expected a dict of one or more steps by name'),
        ({}, 'protocol.steps is {}'),
        ({'a.b': BASE}, "the name of a step in protocol.steps is 'a.b', expected letters"),
        (dict(type=BASE), "the name of a step in protocol.steps is 'type'"),
        (dict(base=5), 'protocol.steps.base is 5, expected a dict'),
        (dict(base={}), "the config has no 'protocol.steps.base.classes'"),
        (dict(base=dict(classes=[])), r'protocol.steps.base.classes is \[\]'),
        (dict(base=dict(classes='disc')), "protocol.steps.base.classes is 'disc', expected a list"),
        (
            dict(base=dict(classes=['disk'])),
            "a class of protocol.steps.base.classes is 'disk', expected a class of ShapesDataset; "
            "did you mean 'disc'?",
        ),
        (
            horse(clases=['a']),
            "unknown key 'protocol.steps.horse.clases' of protocol.steps.horse; did you mean "
            "'protocol.steps.horse.classes'",
        ),
        (horse(classes=['disc']), "classes has 'disc', which step 'base' learns already"),
        (horse(images='none'), "protocol.steps.horse.images is 'none', expected 'overlap'"),
        (horse(old_labels='yes'), "protocol.steps.horse.old_labels is 'yes', expected True or Fal"),
        (horse(data=dict(train=FOLDER)), "the config has no 'protocol.steps.horse.data.test'"),
        (
            horse(data=dict(train=dict(FOLDER, typ=1), test=0.2)),
            "unknown key 'protocol.steps.horse.data.train.typ' of FolderDataset",
        ),
        (
            horse(data=dict(train=dict(FOLDER, type='FolderDatset'), test=0.2)),
            "protocol.steps.horse.data.train.type is 'FolderDatset'.*did you mean 'FolderDataset'",
        ),
        (horse(data=dict(train=FOLDER, test=2)), 'data.test is 2, expected a data set, a share'),
        (
            horse(classes=['star'], data=dict(train=dict(type='ShapesDataset'), test=0.2)),
            'expected a data set: ShapesDataset holds no share out, FolderDataset does',
        ),
        (
            horse(data=dict(train=FOLDER, test=dict(FOLDER, ids=dict(disc=2)))),
            r"classes of protocol.steps.horse.data.test is \['disc'\], expected some of 'horse'",
        ),
        (
            horse(data=dict(train=dict(FOLDER, masks=None), test=0.2)),
            'data.train.masks is None, expected a folder of masks',
        ),
        (
            horse(data=None, away=dict(train=FOLDER)),
            'protocol.steps.horse.away',
        ),
        (
            horse(labels=dict(type='PseudoLabels')),
            'protocol.steps.horse.labels is .* a step of an open protocol learns from masks',
        ),
    ],
)
def test_mistakes(steps, message):
    """If it fails, a slip in a step costs the training of the steps before it, or a traceback."""
    with pytest.raises(InvalidInputError, match=message) as caught:
        load(steps)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('method', 'options', 'message'),
    [
        ('joint', {}, 'method.joint is True, expected another method: joint training has one data'),
        ('mib', {'protocol.setting': 'disjoint'}, "no such key with protocol.name='open'"),
        ('mib', {'protocol.name': '2-1'}, "protocol.name is '2-1', expected 'open', as there are"),
    ],
)
def test_what_does_not_go_with_it(method, options, message):
    """If it fails, a setting has no effect, or ends in a traceback."""
    with pytest.raises(InvalidInputError, match=message):
        load(horse(), method, **options)


@pytest.mark.parametrize(
    ('method', 'key'), [('mib_s', 'annotation'), ('wilson', 'method.image_labels')]
)
def test_pseudo_labels_need_one_data_set(method, key):
    """If it fails, a step without masks ends in a traceback, or hours later."""
    with pytest.raises(InvalidInputError, match=f'^{key} makes labels of the classes of one'):
        load(dict(base=BASE, more=dict(classes=['star'])), method, '4-2')
