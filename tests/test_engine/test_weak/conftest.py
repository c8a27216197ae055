"""Fixtures shared by the tests of weak labels."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope

from incseg.apis import load_config
from incseg.engine import train_protocol
from incseg.engine.labels import step_labels
from incseg.engine.weak import annotation, seam_training
from tests.common.toys import TOY_NETWORK
from tests.conftest import CONFIGS, TINY

SMALL = {
    'seam.schedule.epochs': 1,
    'seam.schedule.batch_size': 8,
    'seam.schedule.log_interval': 100,
    'seam.schedule.checkpoint_interval': 2,
    'seam.model.backbone.output_stride': 8,
    'seam.inference.scales': (1.0,),
}


@pytest.fixture
def weak(tmp_path):
    """``weak('mib_s', **options)``: the config of an experiment on pseudo-labels at toy size."""

    def load(method, bisenet=False, **options):
        return load_config(
            CONFIGS / method / 'bisenet_r18_shapes_4-2.py',
            {
                **TINY,
                **SMALL,
                **({} if bisenet else TOY_NETWORK),
                'base_steps_dir': str(tmp_path / 'base_steps'),
                'seam_dir': str(tmp_path / 'seam'),
                **options,
            },
        )

    return load


@pytest.fixture
def trained(monkeypatch):
    """Steps for which SEAM was trained because its network did not exist."""
    steps = []
    plain = annotation.train_seam

    def train(experiment, step, folder, **options):
        if not (Path(folder) / 'seam.pth').is_file():
            steps.append(step)
        return plain(experiment, step, folder, **options)

    monkeypatch.setattr(annotation, 'train_seam', train)
    return steps


def label_files(experiment, k, previous=None):
    """Return the places of the pseudo-labels of a step."""
    labels = step_labels(experiment, k)
    labels.begin(None, previous)
    return labels.files()


def base_step(folder, **options):
    """Train step 0 of MiB 4-1; returns the config and the checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('INCSEG_CACHE_DIR', str(folder / 'cache'))
        init_default_scope('incseg')
        config = load_config(CONFIGS / 'mib/bisenet_r18_shapes_4-1.py', {**TINY, **options})
        train_protocol(config, folder / 'run', [0], reuse=False)
    return config, folder / 'run/step_0/final.pth'


@pytest.fixture(scope='session')
def step_0(tmp_path_factory):
    """The checkpoint of a base step, which tests only read."""
    return base_step(tmp_path_factory.mktemp('step_0'))[1]


class KnowsTheMasks:
    """A network of the previous step that learned its classes perfectly.

    It takes the arguments of :class:`incseg.engine.weak.old_network.OldNetwork`.
    """

    def __init__(self, experiment, step, checkpoint):
        self.known = [0, *experiment.protocol.old(step)]

    def __call__(self, dataset, indices):
        for index in indices:
            label = dataset.get_data_info(index)['gt_seg_map']
            yield index, np.where(np.isin(label, self.known), label, 0), np.ones(label.shape)


@pytest.fixture
def perfect_old_network(monkeypatch):
    """Let SEAM take its negatives from :class:`KnowsTheMasks`; returns the class."""
    monkeypatch.setattr(seam_training, 'OldNetwork', KnowsTheMasks)
    return KnowsTheMasks
