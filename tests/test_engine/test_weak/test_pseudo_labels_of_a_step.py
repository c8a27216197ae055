"""A config and a checkpoint of SEAM become the pseudo-labels of a step."""

import copy
import json

import numpy as np
import pytest
import torch

from incseg.datasets import PseudoLabelFiles, ShapesDataset
from incseg.engine import Experiment
from incseg.engine.weak import pseudo_labels
from incseg.engine.weak.pseudo_labels import pseudo_label_job
from incseg.errors import InvalidInputError, MissingFileError
from tests.test_utils.test_number_formats import settings

SEAM = dict(model=dict(type='ColourCams'), inference=dict(scales=[1.0], batch_size=2))


@pytest.fixture
def checkpoint(tmp_path):
    """``checkpoint(ids)``: the stand-in's file; with all six ids its scope is ``'all'``."""

    def save(ids=(5,), step=1, weights=None, **meta):
        path = tmp_path / f'seam_{step}.pth'
        names = ShapesDataset(length=1, size=16).metainfo['classes']
        torch.save(
            dict(
                state_dict=dict(weight=torch.ones(weights or len(ids))),
                meta=dict(
                    dict(
                        incseg_version='0',
                        method='seam',
                        step=step,
                        ids=list(ids),
                        pretrained=False,
                        classes=[names[i] for i in ids],
                        palette=[],
                        protocol={},
                        seed=0,
                        scope='all' if len(ids) == 6 else 'step',
                    ),
                    **meta,
                ),
            ),
            path,
        )
        return path

    return save


@pytest.fixture
def weak(tiny):
    """``weak(**seam)``: an experiment whose maps come from the stand-in."""
    plain = tiny()

    def build(**seam):
        config = copy.deepcopy(plain)
        config.seam = {**SEAM, **seam}
        return Experiment(config)

    return build


def test_files_of_a_config(weak, checkpoint, tmp_path, colour_cams):
    """If it fails, labels are of other images or classes than the step's, or ``meta.json`` lacks
    an entry that a reader or another run needs."""
    experiment = weak()
    files = pseudo_label_job(experiment, checkpoint(), tmp_path / 'out', coco=True)
    assert files.folder == tmp_path / 'out' / '4-1' / '1'
    meta = files.read_meta()
    assert (meta['ids'], meta['classes'], meta['scope']) == ([5], ['cross'], 'step')
    assert meta['refine'] == dict(type='NoRefinement') and len(meta['ckpt_sha']) == 64
    assert 'bg' in meta and 'background' not in meta and meta['negatives'] is None
    data = ShapesDataset(length=32, size=32)
    step = experiment.protocol.select(data.presence(), 1)
    made = sorted(path.stem for path in (files.folder / 'labels').iterdir())
    assert made == [data.image_ids[i] for i in step] and len(made) > 1
    shown = json.loads((files.folder / 'image_labels.json').read_text())
    assert set(map(tuple, shown.values())) == {('cross',)}
    assert len(json.loads((files.folder / 'coco.json').read_text())['images']) == len(made)


@pytest.mark.parametrize('tf32', [True, False, None])
def test_arithmetic_is_the_configs(
    tf32, weak, checkpoint, tmp_path, colour_cams, gpu_settings, monkeypatch
):
    """If it fails, labels made after a training in the same process, which leaves TF32 and cuDNN's
    choice by timing behind, differ from those of tools/make_pseudo_labels.py."""
    gpu_settings(tf32=not tf32, benchmark=True)
    seen = []
    plain = colour_cams.cams

    def cams(self, inputs):
        seen.append(settings())
        return plain(self, inputs)

    experiment, path = weak(), checkpoint()
    experiment.config['schedule']['tf32'] = tf32
    monkeypatch.setattr(colour_cams, 'cams', cams)
    monkeypatch.setattr(pseudo_labels, 'fold_batch_norm', lambda *args: None)
    pseudo_label_job(experiment, path, tmp_path / 'out')
    assert seen and set(seen) == {(bool(tf32), bool(tf32), False, True)}
    assert settings() == (not tf32, not tf32, True, False)


def test_helper_classes_are_not_written(weak, checkpoint, tmp_path, colour_cams):
    """If it fails, maps of old classes, which only served the training, become pseudo-labels."""
    files = pseudo_label_job(
        weak(),
        checkpoint((5, 1, 3), helpers=[1, 3], negatives=dict(type='OldModelLabels')),
        tmp_path / 'out',
    )
    meta = files.read_meta()
    assert meta['negatives'] == dict(type='OldModelLabels')
    assert (meta['ids'], meta['classes']) == ([5], ['cross'])
    made = [path.stem for path in (files.folder / 'labels').iterdir()]
    assert made and all(set(np.unique(files.read_label(name))) <= {0, 5} for name in made)
    assert all(files.read_scores(name).ids.tolist() == [5] for name in made)


def test_scope_all(weak, checkpoint, tmp_path, colour_cams):
    """If it fails, the labels lack classes of other steps, or are of images of other steps."""
    every = checkpoint((1, 2, 3, 4, 5, 6))
    files = pseudo_label_job(weak(), every, tmp_path / 'out', step=1)
    assert files.read_meta()['ids'] == [1, 2, 3, 4, 5, 6]
    shown = json.loads((files.folder / 'image_labels.json').read_text())
    assert all('cross' in names for names in shown.values())
    assert {name for names in shown.values() for name in names} > {'cross'}


def test_refinement_by_config(weak, checkpoint, tmp_path, colour_cams):
    """If it fails, refined scores lack the background's map, or the meta does not say so."""
    refine = dict(type='PAMR', num_iters=1)
    files = pseudo_label_job(weak(refine=refine), checkpoint(), tmp_path / 'out')
    meta = files.read_meta()
    assert meta['refine'] == refine and meta['bg'] == dict(mode='score', value=None)
    assert meta['background']['mode'] == 'const', "what the refinement's first map was"
    first = next(iter(json.loads((files.folder / 'image_labels.json').read_text())))
    assert files.read_scores(first).ids.tolist() == [0, 5]


def test_bad_configs_and_checkpoints(tiny, weak, checkpoint, tmp_path, colour_cams):
    """If it fails, a mistake is reported late, without its key or file, or leaves files."""
    out = tmp_path / 'out'
    with pytest.raises(InvalidInputError, match="the config has no 'seam.model'"):
        pseudo_label_job(Experiment(tiny()), checkpoint(), out)
    for seam, message in (
        (dict(inference=dict(background=0.3)), 'seam.inference.background is 0.3, expected'),
        (
            dict(inference=dict(background=dict(mode='score'))),
            "background.mode is 'score', expected 'const' or 'pow'",
        ),
    ):
        with pytest.raises(InvalidInputError, match=message):
            pseudo_label_job(weak(**seam), checkpoint(), out)
    with pytest.raises(MissingFileError, match=r'no checkpoint at none\.pth'):
        pseudo_label_job(weak(), 'none.pth', out)
    with pytest.raises(InvalidInputError, match=r'seam_1\.pth does not fit the network'):
        pseudo_label_job(weak(), checkpoint(weights=2), out)
    with pytest.raises(InvalidInputError, match='knows the classes cross .* does not have there'):
        pseudo_label_job(weak(), checkpoint(step=7), out)
    with pytest.raises(InvalidInputError, match=r'name the step.*--step 0 to 2'):
        pseudo_label_job(weak(), checkpoint((1, 2, 3, 4, 5, 6)), out)
    with pytest.raises(InvalidInputError, match='--step is 2, but .* only the classes of step 1'):
        pseudo_label_job(weak(), checkpoint(), out, step=2)
    with pytest.raises(InvalidInputError, match='--step is 3, expected 0 to 2: 4-1 has 3 step'):
        pseudo_label_job(weak(), checkpoint((1, 2, 3, 4, 5, 6)), out, step=3)
    assert not PseudoLabelFiles.of_step(out, '4-1', 1).folder.exists()
