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


def test_which_need_the_network_before(tiny_seam):
    """The two that look through it, from step 1 on; step 0 has no step before."""
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
    """Also the base step, which may be learned from image-level labels too."""
    folder = dict(type='NegativeFolder', folder='x')
    experiment = Experiment(tiny_seam(**{'seam.negatives': folder}))
    assert negatives_config(experiment, 0) == folder == negatives_config(experiment, 1)
    assert not needs_old_network(experiment, 1)


def test_description_is_of_no_machine(tiny_seam):
    """Type and options; a folder by its own name."""

    def described(negatives, step=1):
        return describe_negatives(
            Experiment(tiny_seam(**{'seam.scope': 'step', 'seam.negatives': negatives})), step
        )

    assert described(None) is None
    assert described(
        dict(type='NegativeFolder', folder='/data/of/me/skies', img_suffix=('.jpg', '.png'))
    ) == dict(type='NegativeFolder', folder='skies', img_suffix=['.jpg', '.png'])
    crops = dict(type='BackgroundCrops', sizes=(0.5, 0.25), share=0.9)
    assert described(crops) == dict(type='BackgroundCrops', sizes=[0.5, 0.25], share=0.9)
    assert described(crops, step=0) is None


def test_digest_is_of_the_weights(tmp_path):
    """Two runs that share a base step share what is made from it, whatever else their files say."""

    def digest(name, value, **meta):
        state = {'a': torch.full((2,), value), 'b': torch.zeros(1)}
        save_atomically(dict(state_dict=state, meta={**META, **meta}), tmp_path / name)
        return weights_fingerprint(tmp_path / name)

    assert digest('1', 1.0) == digest('2', 1.0, method='mib', seconds=3.0)
    assert digest('1', 1.0) != digest('3', 2.0)


def test_digest_is_of_the_negatives(tiny_seam, tmp_path):
    """One picture more is another folder; what has no files has no digest."""

    def digest(**negatives):
        return negatives_fingerprint(
            Experiment(tiny_seam(**{'seam.scope': 'step', 'seam.negatives': negatives or None})), 1
        )

    assert digest() is None and digest(type='BackgroundCrops') is None
    folder = dict(type='NegativeFolder', folder=str(tmp_path / 'negatives'))
    with pytest.raises(MissingFileError, match='negatives. does not exist; name another folder'):
        digest(**folder)
    (tmp_path / 'negatives').mkdir()
    Image.new('RGB', (8, 8)).save(tmp_path / 'negatives/a.png')
    first = digest(**folder)
    assert len(first) == 16 and digest(**folder) == first
    Image.new('RGB', (8, 8)).save(tmp_path / 'negatives/b.png')
    assert digest(**folder) != first
    drawn = digest(type='ShapesDataset', length=2, size=32)
    assert drawn not in (None, first), 'any data set serves as negatives'
