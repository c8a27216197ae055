"""The config of negatives, and its traces in files and hashes."""

import pytest
import torch
from PIL import Image

from incseg.engine import Experiment
from incseg.engine.checkpoint import save_atomically, weights_fingerprint
from incseg.engine.weak.seam_config import (
    describe_negatives,
    is_old_network_negatives,
    needs_old_network,
    negatives_config,
    negatives_fingerprint,
)
from incseg.errors import MissingFileError

META = dict(incseg_version='1', method='ft', protocol={}, step=0, classes=[], palette=[])


def test_negatives_that_need_the_previous_network(tiny_seam):
    """If it fails, step 0, which has no previous step, asks for its network, or a later step does
    not."""
    assert not is_old_network_negatives(None)
    assert not is_old_network_negatives(dict(type='NegativeFolder', folder='x'))
    for kind in ('OldModelLabels', 'BackgroundCrops'):
        experiment = Experiment(
            tiny_seam(**{'seam.scope': 'step', 'seam.negatives': dict(type=kind)})
        )
        assert needs_old_network(experiment, 1) and not needs_old_network(experiment, 0)
        assert negatives_config(experiment, 1) == dict(type=kind)
        assert negatives_config(experiment, 0) is None


def test_a_folder_serves_every_step(tiny_seam):
    """If it fails, the base step, which may learn from image-level labels too, has no negatives."""
    folder = dict(type='NegativeFolder', folder='x')
    experiment = Experiment(tiny_seam(**{'seam.negatives': folder}))
    assert negatives_config(experiment, 0) == folder == negatives_config(experiment, 1)
    assert not needs_old_network(experiment, 1)


def test_descriptions_have_no_paths(tiny_seam):
    """If it fails, files differ between machines by the paths of negatives."""

    def describe(negatives, step=1):
        return describe_negatives(
            Experiment(tiny_seam(**{'seam.scope': 'step', 'seam.negatives': negatives})), step
        )

    assert describe(None) is None
    assert describe(
        dict(type='NegativeFolder', folder='/data/of/me/skies', img_suffix=('.jpg', '.png'))
    ) == dict(type='NegativeFolder', folder='skies', img_suffix=['.jpg', '.png'])
    crops = dict(type='BackgroundCrops', sizes=(0.5, 0.25), share=0.9)
    assert describe(crops) == dict(type='BackgroundCrops', sizes=[0.5, 0.25], share=0.9)
    assert describe(crops, step=0) is None


def test_fingerprint_is_of_the_weights(tmp_path):
    """If it fails, runs that share a base step do not share what is made from it, because other
    entries of their files differ."""

    def fingerprint(name, value, **meta):
        state = {'a': torch.full((2,), value), 'b': torch.zeros(1)}
        save_atomically(dict(state_dict=state, meta={**META, **meta}), tmp_path / name)
        return weights_fingerprint(tmp_path / name)

    assert fingerprint('1', 1.0) == fingerprint('2', 1.0, method='mib', seconds=3.0)
    assert fingerprint('1', 1.0) != fingerprint('3', 2.0)


def test_fingerprint_is_of_the_negatives(tiny_seam, tmp_path):
    """If it fails, an additional image of a folder goes unnoticed, or negatives without files have
    a fingerprint."""

    def fingerprint(**negatives):
        return negatives_fingerprint(
            Experiment(tiny_seam(**{'seam.scope': 'step', 'seam.negatives': negatives or None})), 1
        )

    assert fingerprint() is None and fingerprint(type='BackgroundCrops') is None
    folder = dict(type='NegativeFolder', folder=str(tmp_path / 'negatives'))
    with pytest.raises(MissingFileError, match='negatives. does not exist; name another folder'):
        fingerprint(**folder)
    (tmp_path / 'negatives').mkdir()
    Image.new('RGB', (8, 8)).save(tmp_path / 'negatives/a.png')
    first = fingerprint(**folder)
    assert len(first) == 16 and fingerprint(**folder) == first
    Image.new('RGB', (8, 8)).save(tmp_path / 'negatives/b.png')
    assert fingerprint(**folder) != first
    drawn = fingerprint(type='ShapesDataset', length=2, size=32)
    assert drawn not in (None, first), 'any data set serves as negatives'
