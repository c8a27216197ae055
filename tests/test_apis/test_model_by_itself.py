"""A ``final.pth`` is a model by itself: every door predicts what the training evaluated."""

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from incseg.apis import Inferencer, inference_model, init_model, load_config
from incseg.apis.config.trained import configs_of_runs, load_trained_config
from incseg.engine import evaluate_checkpoint, train_protocol
from incseg.engine.checkpoint import StepCheckpoint, save_checkpoint
from incseg.engine.figures.predictions import images_seen_by, load_network, predict
from incseg.engine.recipe.experiment import Experiment
from incseg.errors import InvalidInputError
from incseg.registry import MODELS

FORMATS = Path(__file__).parents[1] / 'formats'
#: a network of some thousand weights; what it learns in seconds is more than the background
TOY = FORMATS / 'toy.py'
SMALL = {'data.test.length': 5, 'epochs': 30, 'image_scale': 0.75}

HEAD = """
from incseg.models import FCNHead
from incseg.registry import MODELS


@MODELS.register_module(force=True)
class TwiceHead(FCNHead):
    def forward_features(self, feats):
        return 2 * super().forward_features(feats)
"""


@pytest.fixture(autouse=True)
def toy_parts(monkeypatch):
    """The parts of the toy network, imported and registered."""
    monkeypatch.syspath_prepend(str(FORMATS))
    sys.modules.pop('toy_parts', None)
    import_module('toy_parts')


@pytest.fixture
def own_head(tmp_path, monkeypatch):
    """A module with a head of the user's own, which is forgotten afterwards."""
    (tmp_path / 'my_heads.py').write_text(HEAD)
    monkeypatch.syspath_prepend(str(tmp_path))

    def forget():
        sys.modules.pop('my_heads', None)
        MODELS.module_dict.pop('TwiceHead', None)

    yield forget
    forget()


@pytest.fixture
def folder(tmp_path):
    """Another data set than Shapes: a folder of pictures and masks with the classes a, b and c."""
    rng = np.random.default_rng(0)
    for split, number in (('train', 12), ('val', 4)):
        for kind in ('images', 'masks'):
            (tmp_path / 'voc' / kind / split).mkdir(parents=True)
        for i in range(number):
            mask = np.zeros((40, 48), np.uint8)
            mask[4:20, 4:20], mask[22:38, 24:44] = 1 + i % 3, 1 + (i + 1) % 3
            colours = np.array([[9, 9, 9], [250, 0, 0], [0, 250, 0], [0, 0, 250]], np.uint8)
            noise = rng.integers(0, 5, (40, 48, 3), np.uint8)
            cv2.imwrite(str(tmp_path / f'voc/images/{split}/{i}.png'), colours[mask] + noise)
            cv2.imwrite(str(tmp_path / f'voc/masks/{split}/{i}.png'), mask)
    return tmp_path / 'voc'


def leaf(tmp_path, text=''):
    """A config of the user's own, based on the library's."""
    path = tmp_path / 'mine.py'
    path.write_text(f'_base_ = [{str(TOY)!r}]\n{text}')
    return path


def labels_by_every_door(path, file, monkeypatch, imports=()):
    """The labels of all test images, one array per way to predict them; the first is training's.

    The evaluation of the training is asked for its own predictions.
    """
    config = load_trained_config(path, {}, file, imports)[0]
    experiment, checkpoint = Experiment(config), StepCheckpoint(file)
    k = checkpoint.meta['step']
    seen = []
    from incseg.evaluation import ConfusionMetric

    process = ConfusionMetric.process

    def keep(self, data_batch, data_samples):
        seen.extend(np.asarray(s['pred_sem_seg']['data'])[0] for s in data_samples)
        return process(self, data_batch, data_samples)

    monkeypatch.setattr(ConfusionMetric, 'process', keep)
    doors = {}
    numbers = []
    for name, source in dict(given=path, alone=None).items():
        seen.clear()
        tested = load_trained_config(source, {}, file, imports)[0]
        numbers.append(evaluate_checkpoint(tested, file, Path(file).parent / f'test_{name}'))
        doors[f'test.py, config {name}'] = list(seen)
    trained = json.loads((Path(file).parents[1] / 'results.json').read_text())['steps'][k]
    for entry in numbers:
        assert entry['iou'] == trained['iou'] and entry['accuracy'] == trained['accuracy']
    indices = range(len(seen))
    raw = raw_images(experiment, k)
    assert len(raw) == len(seen)
    for name, model in {
        'init_model, config': init_model(path, file, device='cpu', imports=imports),
        'init_model alone': init_model(file, device='cpu', imports=imports),
        'Inferencer': Inferencer(file, device='cpu', fast=False, imports=imports).model,
    }.items():
        doors[name] = [r.pred_sem_seg.data[0].numpy() for r in inference_model(model, raw)]
    run = configs_of_runs({'a': file}, {}, None)['a']
    network = load_network(Experiment(run), file)
    images = images_seen_by(experiment, Experiment(run), indices)
    doors['show_runs'] = [predict(network, images[index]) for index in indices]
    return doors


def raw_images(experiment, k):
    """The test images as a user has them: BGR arrays or paths."""
    from incseg.engine.recipe.data import dataset_config
    from incseg.registry import DATASETS

    data = DATASETS.build(dataset_config(experiment, k, 'test')).dataset
    infos = [data.get_data_info(i) for i in range(len(data))]
    return [info['img'] if 'img' in info else info['img_path'] for info in infos]


def check_doors(doors):
    first, *others = doors
    assert max(len(np.unique(labels)) for labels in doors[first]) > 1, 'something to compare'
    for name in others:
        assert len(doors[name]) == len(doors[first])
        for mine, theirs in zip(doors[name], doors[first], strict=True):
            np.testing.assert_array_equal(mine, theirs, err_msg=name)


@pytest.mark.parametrize('options', [{}, {'width': 12}], ids=['scale', 'scale and width'])
def test_equal_predictions_by_every_door(options, tmp_path, monkeypatch):
    """If it fails, the README's call predicts with other settings than the training's, and worse.

    The settings came from the command line: the config does not say them.
    """
    train_protocol(load_config(TOY, {**SMALL, **options}), tmp_path / 'run', [0], reuse=False)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        check_doors(labels_by_every_door(TOY, tmp_path / 'run/step_0/final.pth', monkeypatch))


def test_an_own_head_by_every_door(own_head, tmp_path, monkeypatch):
    """If it fails, a user's own network needs more than its file and the name of its module.

    Unless the user names the module, it is not imported: a file must not choose what runs.
    """
    path = leaf(
        tmp_path,
        "custom_imports = dict(imports=['toy_parts', 'my_heads'], allow_failed_imports=False)\n"
        "model = dict(decode_head=dict(type='TwiceHead'))\n",
    )
    train_protocol(load_config(path, SMALL), tmp_path / 'run', [0], reuse=False)
    file = tmp_path / 'run/step_0/final.pth'
    own_head()
    words = (
        r'step_0/final.pth needs TwiceHead of my_heads, which is not imported; if you trust it: '
        r"--import my_heads, in Python imports=\['my_heads'\]$"
    )
    for use in (init_model, Inferencer, lambda file: load_trained_config(None, {}, file)):
        with pytest.raises(InvalidInputError, match=words):
            use(file)
    assert 'my_heads' not in sys.modules
    with pytest.raises(InvalidInputError, match="module 'no_heads' cannot be imported: Module"):
        init_model(file, imports=['no_heads'])
    check_doors(labels_by_every_door(path, file, monkeypatch, ['my_heads']))


def test_the_distribution_of_a_part_is_named(tmp_path):
    """If it fails, a user does not know what to install for a checkpoint of somebody else's."""
    from incseg.apis.config.stored import check_stored

    known = dict(type='MyHead', module='my_heads', distribution='my-heads', version='1.2')
    with pytest.raises(InvalidInputError, match=r'of my_heads \(distribution my-heads 1.2\), wh'):
        check_stored(dict(model=dict(type='MyHead')), 'final.pth', [known])


def test_another_data_set_by_every_door(folder, tmp_path, monkeypatch):
    """If it fails, only Shapes is predicted as it was evaluated."""
    both = (
        "type='SegDataset', data_root='$data_root', img_suffix='.png', seg_map_suffix='.png', "
        "data_prefix=dict(img_path='images/{split}', seg_map_path='masks/{split}'), "
        "metainfo=dict(classes=('background', 'a', 'b', 'c'), "
        'palette=[[0, 0, 0], [250, 0, 0], [0, 250, 0], [0, 0, 250]])'
    )
    path = leaf(
        tmp_path,
        f'data_root = {str(folder)!r}\n'
        "data = dict(_delete_=True, name='mine', void_as_background=False, train_pipeline=dict(),\n"
        f"    test_pipelines=dict(whole=dict()), train=dict(split='train', {both}),\n"
        f"    test=dict(split='val', {both}))\n"
        "protocol = dict(name='2-1')\n",
    )
    options = {'batch_size': 4, 'epochs': 30, 'image_scale': 0.75, 'crop_size': 24}
    train_protocol(load_config(path, options), tmp_path / 'run', [0], reuse=False)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        check_doors(labels_by_every_door(path, tmp_path / 'run/step_0/final.pth', monkeypatch))


@pytest.fixture
def trained(tmp_path):
    options = {**SMALL, 'epochs': 1}
    train_protocol(load_config(TOY, options), tmp_path / 'run', [0], reuse=False)
    return tmp_path / 'run/step_0/final.pth'


def test_a_difference_is_said(trained, tmp_path):
    """If it fails, a network predicts with settings that it was not trained with, in silence."""
    with pytest.warns(UserWarning, match=r'as in step_0/final.pth: .*image_scale = 0.75 \(not 0.5'):
        assert init_model(TOY, trained).config.image_scale == 0.75, 'the same config: the training'
    loaded = load_config(TOY, {**SMALL, 'image_scale': 1.0})
    with pytest.warns(UserWarning, match=r'other than in step_0/final.pth: image_scale = 1.0 \(n'):
        assert init_model(loaded, trained).config.image_scale == 1.0, 'the user says it'
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        init_model(load_config(TOY, {**SMALL, 'epochs': 1}), trained)
        init_model(trained)
    config, notes = load_trained_config(None, {'image_scale': 1.0}, trained)
    assert notes == ['other than in step_0/final.pth: image_scale = 1.0 (not 0.75)']
    assert config.filename == 'tests/formats/toy.py'


def test_no_path_of_the_config_is_opened(tiny, tmp_path):
    """If it fails, a checkpoint makes its reader open files, or needs data to predict at all."""
    train_protocol(tiny(bisenet=True), tmp_path / 'run', [0], reuse=False)
    trained = tmp_path / 'run/step_0/final.pth'
    checkpoint = StepCheckpoint(trained)
    content = checkpoint.content
    config = content['meta']['config']
    config['data_root'] = config['data']['train']['data_root'] = str(tmp_path / 'gone')
    config['data']['train']['type'] = config['data']['test']['type'] = 'VOCDataset'
    config['data']['train']['metainfo'] = dict(classes=str(tmp_path / 'gone.txt'))
    config['pretrained'] = True
    config['model']['backbone']['pretrained'] = str(tmp_path / 'gone.pth')
    config['seam_dir'] = config['base_steps_dir'] = str(tmp_path / 'gone')
    save_checkpoint(content, tmp_path / 'alone.pth', 'step')
    opened = []

    watching = [True]

    def spy(event, arguments):
        if (
            watching
            and event in ('open', 'os.listdir', 'os.scandir')
            and 'gone' in str(arguments[0])
        ):
            opened.append(arguments[0])

    sys.addaudithook(spy)
    model = init_model(tmp_path / 'alone.pth', device='cpu')
    watching.clear()  # a hook stays as long as the process
    assert not opened
    image = np.zeros((20, 30, 3), np.uint8)
    one = inference_model(model, image).pred_sem_seg.data
    other = inference_model(init_model(trained, device='cpu'), image).pred_sem_seg.data
    assert torch.equal(one, other)


def test_a_file_that_is_no_model(tmp_path):
    """If it fails, a typing error in a name is blamed on a config."""
    with pytest.raises(FileNotFoundError, match=r'no checkpoint at .*gone\.pth'):
        init_model(tmp_path / 'gone.pth')
    with pytest.raises(FileNotFoundError, match=r'no config at .*gone\.py'):
        Inferencer(tmp_path / 'gone.py')
