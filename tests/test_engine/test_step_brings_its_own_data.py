"""A step may bring its own folder, and a class that nobody declared before it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from incseg.apis import init_model
from incseg.engine import train_protocol
from incseg.engine.checkpoint import StepCheckpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step_sources import StepSources
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import STEP_SOURCES, TASK_UTILS

SHAPES = ['background', 'disc', 'square']


@TASK_UTILS.register_module(force=True)
class FolderTables:
    """The look-up tables of a folder whose only class has id 1 there: train id 3, the newest."""

    def new(self, k):
        return (1,)

    def seen(self, k):
        return (1,)

    def select(self, presence, k):
        return np.flatnonzero(presence[:, 1])

    def train_lut(self, k, void_as_background=False):
        table = np.zeros(256, np.uint8)
        table[1], table[255] = 3, 0 if void_as_background else 255
        return table

    def eval_lut(self, k):
        return self.train_lut(k)


@STEP_SOURCES.register_module(force=True)
class ThenAFolder(StepSources):
    """Two classes of Shapes; once a folder is there, a second step learns its class."""

    setting = 'overlap'

    def __init__(self, config, name, folder):
        super().__init__(config)
        self.name, self.folder = name, Path(folder)

    @property
    def class_file(self):
        return self.folder / 'class.txt'

    @property
    def num_steps(self):
        return 1 + self.class_file.is_file()

    def classes(self, k):
        return SHAPES if k == 0 else [*SHAPES, self.class_file.read_text()]

    def palette(self, k):
        return [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]][: len(self.classes(k))]

    def outputs_per_step(self, k):
        return [3, 1][: k + 1]

    def data(self, k, mode):
        if k == 0:
            return dict(self.config['data'][mode])
        return dict(
            type='SegDataset',
            data_root=str(self.folder),
            split=mode,
            metainfo=dict(classes=('background', 'it'), palette=[[0, 0, 0], [0, 0, 255]]),
        )

    def labelling(self, k):
        if k == 0:
            return dict(protocol=dict(base=2, increment=4))
        return dict(
            protocol=dict(type='FolderTables'),
            metainfo=dict(classes=self.classes(1), palette=self.palette(1)),
        )

    def describe(self, k=None):
        k = self.num_steps - 1 if k is None else k
        return dict(
            name=self.name,
            dataset='shapes, then a folder',
            setting=self.setting,
            steps=[[1, 2], [3]][: k + 1],
            classes=self.classes(k),
        )


@pytest.fixture
def config(tiny, tmp_path):
    """A config whose second step is in a folder that is not there yet."""
    sources = dict(type='ThenAFolder', name='open', folder=str(tmp_path / 'later'))
    return lambda **options: tiny('mib', **{'protocol': sources, **options})


@pytest.fixture
def add_folder(tmp_path):
    """Write the folder of the second step: red blobs on grey, six images to learn from."""

    def write(name='blob'):
        rng = np.random.default_rng(0)
        for split, count in (('train', 6), ('test', 2)):
            for part in ('images', 'labels'):
                (tmp_path / 'later' / part / split).mkdir(parents=True)
            for i in range(count):
                picture = rng.integers(90, 120, (32, 32, 3), np.uint8)
                label = np.zeros((32, 32), np.uint8)
                top, left = rng.integers(2, 14, 2)
                if i:  # the first training image shows nothing: it is not selected
                    label[top : top + 12, left : left + 12] = 1
                picture[label == 1] = (250, 20, 20)
                Image.fromarray(picture).save(tmp_path / f'later/images/{split}/{i}.jpg')
                Image.fromarray(label).save(tmp_path / f'later/labels/{split}/{i}.png')
        (tmp_path / 'later' / 'class.txt').write_text(name)

    return write


def test_an_undeclared_class_from_a_new_folder(config, add_folder, tmp_path):
    """If it fails, a class can be learned only if it was known before step 0."""
    work_dir = tmp_path / 'run'
    first = train_protocol(config(), work_dir)
    assert [entry['step'] for entry in first.steps] == [0]
    assert first.header['protocol']['classes'] == SHAPES and first.added == []
    with pytest.raises(InvalidInputError, match='--steps is 1, expected 0'):
        train_protocol(config(), work_dir, steps=[1], resume=True)
    before = (work_dir / 'step_0/final.pth').read_bytes()

    add_folder()
    ledger = train_protocol(config(), work_dir, resume=True)
    assert (work_dir / 'step_0/final.pth').read_bytes() == before, 'step 0 is not trained again'
    entry = ledger.steps[1]
    assert entry['train_images'] == 5, 'only images of the folder that show the class'
    assert list(entry['iou']) == [*SHAPES, 'blob']
    assert entry['iou']['disc'] is None and entry['mib']['added'] is not None
    saved = StepCheckpoint(work_dir / 'step_1/final.pth')
    assert saved.meta['classes'] == [*SHAPES, 'blob'] and saved.outputs_per_step == [3, 1]
    assert ledger.header['protocol']['steps'] == [[1, 2], [3]]

    model = init_model(config(), work_dir / 'step_1/final.pth', 'cpu')
    assert model.dataset_meta['classes'] == [*SHAPES, 'blob']
    assert model.decode_head.classifier.num_outputs == 4


def test_step_0_is_known_by_its_own_classes(config, add_folder, tmp_path):
    """If it fails, a folder that comes later makes the checkpoint of step 0 a stranger."""
    train_protocol(config(), tmp_path / 'run')
    add_folder('cat')
    experiment = Experiment(config())
    assert experiment.num_steps == 2
    assert experiment.describe_protocol(0)['classes'] == SHAPES
    model = init_model(config(), tmp_path / 'run/step_0/final.pth', 'cpu')
    assert model.dataset_meta['classes'] == SHAPES
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 32, 32)).shape[1] == 3


def test_sources_of_a_step_are_read_from_their_own_place(config, add_folder, tmp_path):
    """If it fails, all steps read the data of the config."""
    add_folder()
    (tmp_path / 'later/labels/train/3.png').unlink()
    with pytest.raises(MissingFileError, match='later'):
        train_protocol(config(), tmp_path / 'run')


def test_importance_of_step_0_is_estimated_on_its_own_data(
    config, add_folder, tmp_path, monkeypatch
):
    """If it fails, EWC holds the parameters that matter for the new folder."""
    from incseg.engine.hooks import data_pass

    seen = []
    real = data_pass.data_pass

    def watched(runner, dataset=None):
        if dataset is not None:
            seen.append((type(dataset.dataset).__name__, dataset.step, dataset.metainfo['classes']))
        yield from real(runner, dataset)

    monkeypatch.setattr(data_pass, 'data_pass', watched)
    train_protocol(config(), tmp_path / 'run')
    add_folder()
    hooks = {'method.hooks': dict(ewc=dict(type='EWCHook', loss_weight=1.0))}
    train_protocol(config(**hooks), tmp_path / 'ewc', steps=[0, 1])
    assert seen == [('ShapesDataset', 0, ('background', 'disc', 'square'))]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'protocol.type': 'Nothing'}, "protocol.type is 'Nothing'"),
        ({'protocol.folders': 'x'}, 'protocol.folders'),
        ({'method.memory': dict(size=4)}, 'protocol.type is .ThenAFolder., expected OneDataset'),
    ],
)
def test_mistakes_are_told_before_training(config, tmp_path, options, message):
    """If it fails, a wrong key of the sources, or a part that they cannot serve, costs a step."""
    with pytest.raises(InvalidInputError, match=message):
        train_protocol(config(**options), tmp_path / 'run')


def test_one_data_set_is_the_default(tiny):
    """If it fails, a config says what it never had to say."""
    assert type(Experiment(tiny()).sources).__name__ == 'OneDataset'
