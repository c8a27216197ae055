"""Everything that reads a file reads malicious pickles too: none of them runs."""

import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from incseg.apis import Inferencer, init_model, load_config
from incseg.apis.config.trained import configs_of_runs, load_trained_config
from incseg.datasets import ScoreFile, SegDataset
from incseg.datasets.image_labels.json_and_xml import JSONImageLabels, VOCXMLImageLabels
from incseg.datasets.label_maps.label_file import read_label_file
from incseg.datasets.list_files import read_id_list
from incseg.datasets.pseudo_labels.pseudo_label_files import PseudoLabelFiles
from incseg.datasets.transforms.loading import LoadImage
from incseg.engine import train_protocol
from incseg.engine.base_steps import BaseSteps
from incseg.engine.checkpoint import (
    StepCheckpoint,
    read_checkpoint,
    read_resume_checkpoint,
    read_step_checkpoint,
)
from incseg.engine.hooks.start import load_backbone
from incseg.engine.weak.seam_store import read_seam_checkpoint
from incseg.evaluation import Ledger
from incseg.evaluation.run_settings import read_run_config
from incseg.models import AffinityRandomWalk, ResNet
from incseg.models.backbones.resnet38d import read_resnet38_weights
from incseg.models.weights.converters.mxnet_params import read_mxnet_params
from incseg.protocols.class_index import PresenceCache

META = dict(incseg_version='0.1', method='m', protocol={}, step=0, classes=['a'], palette=[[0]])


class Bomb:
    """A pickle that makes a folder where it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def in_torchs_zip(bomb, path):
    torch.save(dict(state_dict=dict(w=bomb), meta=META), path)


def in_torchs_old_file(bomb, path):
    content = dict(state_dict=dict(w=torch.ones(1)), meta=dict(META, memory=[bomb]))
    torch.save(content, path, _use_new_zipfile_serialization=False)


def bare(bomb, path):
    path.write_bytes(pickle.dumps(bomb, protocol=2))


def in_numpys_archive(bomb, path):
    held = np.array([bomb], dtype=object)
    with open(path, 'wb') as file:
        np.savez(file, ids=held, score=held, stride=held, size=held)


def in_numpys_array(bomb, path):
    with open(path, 'wb') as file:
        np.save(file, np.array([bomb], dtype=object), allow_pickle=True)


WRITERS = [in_torchs_zip, in_torchs_old_file, bare, in_numpys_archive, in_numpys_array]


class OneImage(SegDataset):
    """A data set without files, for sources of labels."""

    METAINFO = dict(classes=('background', 'a'), palette=[[0, 0, 0], [9, 9, 9]])

    def __init__(self, root):
        self.data_root, self._metainfo = str(root), dict(self.METAINFO)


def presence(path):
    cache = PresenceCache('key', path.parent)
    os.replace(path, cache.path)
    return cache.load((1, 2))


def torchvisions_cache(path):
    """The weights of torchvision lie in torch's folder of downloads, under a name of their own."""
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    folder.mkdir(parents=True)
    os.replace(path, folder / 'resnet18-f37072fd.pth')
    ResNet(depth=18, pretrained=True).init_weights()


def pseudo_labels(path, read):
    folder = path.parent / 'labels_of_a_step'
    for name in ('labels/a.png', 'scores/a.npz', 'meta.json'):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(path.read_bytes())
    return read(PseudoLabelFiles(folder))


def xml(path):
    (path.parent / 'Annotations').mkdir()
    os.replace(path, path.parent / 'Annotations/a.xml')
    return list(VOCXMLImageLabels(OneImage(path.parent)).class_ids('a'))


def base_step(path):
    (path.parent / 'metrics.json').write_text('{}')
    os.replace(path, path.parent / 'final.pth')
    return BaseSteps.load(path.parent)


def as_named(path, name, read):
    os.replace(path, path.parent / name)
    return read(path.parent)


#: everything that reads a file, from the path of one
LOADERS = {
    'any checkpoint': read_checkpoint,
    'final.pth': read_step_checkpoint,
    'previous step': lambda path: StepCheckpoint(path).tensors,
    'resume.pth': read_resume_checkpoint,
    'seam.pth': read_seam_checkpoint,
    'init_from': lambda path: load_backbone(torch.nn.Linear(1, 1), str(path)),
    'AffinityNet': lambda path: AffinityRandomWalk(
        dict(type='AffinityNet', backbone=dict(type='ResNet', depth=18)), str(path)
    ),
    'shared base step': base_step,
    'init_model': init_model,
    'Inferencer': Inferencer,
    'test.py': lambda path: load_trained_config(None, {}, path),
    'show_runs': lambda path: configs_of_runs({'a': path}, {}, None),
    'weights of ResNet38d': read_resnet38_weights,
    'weights of torchvision': torchvisions_cache,
    'weights of mxnet': read_mxnet_params,
    'config': load_config,
    'config.json': lambda path: as_named(path, 'config.json', read_run_config),
    'results.json': lambda path: as_named(path, 'results.json', Ledger.read),
    'class index': presence,
    'score file': ScoreFile.read,
    'label map': read_label_file,
    'image': lambda path: LoadImage().transform(dict(img_path=str(path))),
    'list of images': lambda path: read_id_list(str(path), 'somehow'),
    'image labels, JSON': lambda path: JSONImageLabels(OneImage(path.parent), str(path)),
    'image labels, XML': xml,
    'pseudo-labels': lambda path: pseudo_labels(path, lambda files: files.read_label('a')),
    'scores': lambda path: pseudo_labels(path, lambda files: files.read_scores('a')),
    'meta.json': lambda path: pseudo_labels(path, lambda files: files.read_meta()),
}


@pytest.mark.parametrize('write', WRITERS)
@pytest.mark.parametrize('loader', sorted(LOADERS))
def test_no_pickle_runs(loader, write, tmp_path, monkeypatch):
    """If it fails, a file from a stranger does what it likes as soon as it is read."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    path = tmp_path / 'attack.pth'
    write(Bomb(str(tmp_path / 'harm')), path)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            LOADERS[loader](path)
        except (ValueError, OSError) as refused:
            assert '\n' not in str(refused)
    assert not (tmp_path / 'harm').exists()


@pytest.mark.parametrize('write', WRITERS)
def test_the_attacks_are_real(write, tmp_path):
    """If it fails, the files above harm nobody, and the test above shows nothing."""
    path = tmp_path / 'attack.pth'
    write(Bomb(str(tmp_path / 'harm')), path)
    with open(path, 'rb') as file:
        try:
            if 'numpy' in write.__name__:
                content = np.load(file, allow_pickle=True)
                _ = content if isinstance(content, np.ndarray) else content['ids']
            elif write is bare:
                pickle.load(file)
            else:
                torch.load(file, weights_only=False)
        except (ValueError, TypeError):
            pass
    assert (tmp_path / 'harm').is_dir()


@pytest.mark.parametrize('name', ['step_0/final.pth', 'step_1/resume.pth'])
@pytest.mark.parametrize('write', [in_torchs_zip, in_torchs_old_file, bare])
def test_no_pickle_runs_on_resume(name, write, tiny, tmp_path):
    """If it fails, a work dir from somebody else runs code when its run is continued."""
    run = tmp_path / 'run'
    train_protocol(tiny(), run, [0], reuse=False)
    (run / name).parent.mkdir(exist_ok=True)
    write(Bomb(str(tmp_path / 'harm')), run / name)
    with pytest.raises((ValueError, OSError), match=name.replace('.', r'\.')):
        train_protocol(tiny(), run, resume=True, reuse=False)
    assert not (tmp_path / 'harm').exists()
