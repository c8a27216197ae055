"""``--data-root`` finds the images of earlier steps, when their folders have moved."""

import json

import pytest

from incseg.apis.config.moved import move_data
from incseg.apis.teach import teach
from incseg.cli.main import main
from incseg.errors import InvalidInputError, MissingFileError
from tests.common.painted_shapes import write_shapes_folder
from tests.common.toy_model import toy_model


def test_a_taught_folder_that_moved(tmp_path, capsys):
    """If it fails, a class has no score any more once its folder was moved."""

    def learn(start, name, number=30, **options):
        write_shapes_folder(tmp_path / 'old' / name, {name: 1}, number=number)
        folder, lines = tmp_path / 'old' / name, []
        result = teach(
            start, folder / 'images', masks=folder / 'masks', classes=[name], epochs=1,
            out=tmp_path / f'out_{name}', tell=lines.append, **options,
        )  # fmt: skip
        return result, '\n'.join(lines)

    first, _ = learn(toy_model(tmp_path / 'model'), 'star')
    (tmp_path / 'new').mkdir()
    (tmp_path / 'old/star').rename(tmp_path / 'new/star')
    second, said = learn(first.checkpoint, 'cross', number=8)
    assert 'images of star: ' in said and 'they keep no score' in said
    assert second.after['star'] is None
    third, said = learn(second.checkpoint, 'ring', number=8, data_root=tmp_path / 'new')
    assert f'images in {tmp_path}/new/star (was {tmp_path}/old/star)' in said
    assert third.before['star'] is not None, 'found again, though a step had gone without'
    capsys.readouterr()
    arguments = ['--data-root', str(tmp_path / 'new'), '--work-dir', str(tmp_path / 'test')]
    main(['test', str(first.checkpoint), *arguments])
    [scores] = (tmp_path / 'test').glob('test_step_1.json')
    assert json.loads(scores.read_text())['iou']['star'] == first.after['star']


@pytest.fixture
def config(tmp_path):
    """Two data sets whose folder is gone: one names paths below it, one does not."""
    (tmp_path / 'new').mkdir()
    old = str(tmp_path / 'old/horses')
    horses = dict(type='FolderDataset', data_root=old, images=f'{old}/images', masks=f'{old}/m')
    cows = dict(type='FolderDataset', data_root=str(tmp_path / 'old/cows'))
    steps = dict(
        base=dict(classes=['cat']),
        horse=dict(classes=['horse'], data=dict(train=horses, test=0.2)),
        cow=dict(classes=['cow'], data=None, away=dict(train=cows, test=None)),
    )
    voc = dict(type='VOCDataset', data_root='$data_root')
    return dict(data_root='data/VOC', data=dict(train=voc), protocol=dict(name='open', steps=steps))


def test_each_folder_by_its_name(config, tmp_path):
    """If it fails, images of another class are taken for those that moved."""
    for name in ('cows', 'data/VOC'):
        (tmp_path / 'new' / name).mkdir(parents=True)
    told = move_data(config, tmp_path / 'new')
    assert config['data_root'] == f'{tmp_path}/new/data/VOC' and len(told) == 2
    steps = config['protocol']['steps']
    assert steps['cow'] == dict(
        classes=['cow'],
        data=dict(train=dict(type='FolderDataset', data_root=f'{tmp_path}/new/cows'), test=None),
    )
    assert steps['horse']['data']['train']['data_root'] == f'{tmp_path}/old/horses', 'not there'


def test_the_folder_itself(config, tmp_path):
    """If it fails, a folder that was moved and renamed cannot be named."""
    for name in ('images', 'm'):
        (tmp_path / 'new' / name).mkdir()
    move_data(config, tmp_path / 'new')
    train = config['protocol']['steps']['horse']['data']['train']
    assert train['data_root'] == f'{tmp_path}/new' and train['images'] == f'{tmp_path}/new/images'
    assert config['data_root'] == 'data/VOC', 'its images are not in that folder'


def test_the_data_set_of_the_model(config, tmp_path):
    """If it fails, --data-root no longer names the data set that the model was trained on."""
    move_data(config, tmp_path / 'new')
    assert config['data_root'] == str(tmp_path / 'new')


def test_what_is_refused(config, tmp_path):
    """If it fails, a wrong folder is taken in silence."""
    with pytest.raises(MissingFileError, match="--data-root is '.*gone', which is not there"):
        move_data(config, tmp_path / 'gone')
    config['data'] = {}
    with pytest.raises(InvalidInputError, match='holds none of the images .*were in .*old/horses'):
        move_data(config, tmp_path / 'new')
