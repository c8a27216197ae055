from pathlib import Path

import pytest

from incseg.apis import load_config
from incseg.errors import InvalidInputError
from incseg.registry import MODELS

CONFIGS = Path(__file__).parents[3] / 'configs'
NET = dict(type='AffinityNet', backbone=dict(type='ResNet', depth=18))


@pytest.fixture
def write_leaf(tmp_path):
    """A leaf of an experiment and one of the bases of ``seam``, with a line more."""

    def write(experiment, base, line=''):
        leaf = tmp_path / 'leaf.py'
        leaf.write_text(
            f"_base_ = ['{CONFIGS}/{experiment}.py', '{CONFIGS}/_base_/seam/{base}.py']\n{line}\n"
        )
        return leaf

    return write


def test_a_config_without_the_section(tiny):
    """Experiments with masks say nothing of it."""
    assert 'seam' not in tiny()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'seam.scope': 'old'}, "seam.scope is 'old', allowed: all, step"),
        ({'seam.init_from': 3}, "seam.init_from is 3, allowed: None, 'step0' or the path"),
        ({'seam.schedule.lr': 0}, 'seam.schedule.lr is 0, expected a number above 0'),
        ({'seam.schedule.epochs': 1.5}, 'seam.schedule.epochs is 1.5, expected a whole number'),
        ({'seam.schedule.momentum.scratch': 'x'}, "momentum.scratch is 'x', expected a number"),
        ({'seam.schedule.amp': 'yes'}, "seam.schedule.amp is 'yes', expected True"),
        ({'seam.schedule.amp': 1}, 'seam.schedule.amp is 1, expected True'),
        ({'seam.schedule': 3}, 'seam.schedule is 3, expected a dict'),
        ({'seam.schedule.momentum': 0.9}, 'seam.schedule.momentum is 0.9, expected a dict'),
        ({'seam.schedule.momentum.pretrained': 1}, 'momentum.pretrained is 1, .* below 1'),
        (
            {'seam.schedule.weight_decay': float('nan')},
            'seam.schedule.weight_decay is nan, expected',
        ),
        ({'seam': 3}, 'seam is 3, expected a dict'),
        ({'seam.model': None}, r'seam.model is None, expected dict\(type='),
        ({'seam.model.scale': 0}, 'seam.model.scale is 0, expected a number above 0'),
        ({'seam.model.ref_num_classes': -1}, 'seam.model.ref_num_classes is -1, expected a whole'),
        ({'seam.train_pipeline': 3}, 'seam.train_pipeline is 3, expected transforms by name'),
        ({'seam.inference': 3}, 'seam.inference is 3, expected a dict'),
        (
            {'seam.inference.uncertain': -3},
            'seam.inference.uncertain is -3, expected a number of 0',
        ),
        (
            {'seam.inference.background.value': 3},
            'seam.inference.background: background.value is 3',
        ),
        ({'seam.inference.scales': None}, 'seam.inference.scales is None, expected a list of one'),
        (
            {'seam.refine': dict(type='PAMR', num_iters=-1)},
            'PAMR.num_iters is -1, expected a whole',
        ),
        ({'seam.refine': dict(type='DenseCRF', bilateral_sxy=0)}, 'DenseCRF.bilateral_sxy is 0'),
        ({'seam.refine': dict(type='AffinityRandomWalk')}, 'seam.refine cannot be built: .*net'),
        (
            {'seam.refine': dict(type='AffinityRandomWalk', doublings=-1, net=NET)},
            'doublings is -1',
        ),
        (
            {'seam.refine': dict(type='FCNHead', in_channels=4, channels=4)},
            r"seam.refine.type is 'FCNHead', expected a part with a method refine\(",
        ),
        ({'seam.model.backbone.deep': 3}, "unknown key 'seam.model.backbone.deep' of ResNet"),
        ({'seam.model.backbone': None}, r'seam.model.backbone is None, expected dict\(type='),
        ({'seam.model.backbone.output_stride': 5}, 'output_stride is 5, allowed'),
        ({'seam.model.head.side_channels': 3}, 'seam.model cannot be built'),
        ({'seam.train_pipeline.flip': dict(type='Flop')}, "train_pipeline.flip.type is 'Flop'"),
        ({'seam.negatives': dict(type='Nothing')}, "seam.negatives.type is 'Nothing'"),
        (
            {'seam.negatives': dict(type='BackgroundCrops')},
            "type is 'BackgroundCrops', .*seam.scope is 'all': expected 'step'",
        ),
        (
            {'seam.negatives': dict(type='OldModelLabels', label_share=0), 'seam.scope': 'step'},
            'seam.negatives.label_share is 0, expected a number above 0',
        ),
        (
            {'seam.negatives': dict(type='BackgroundCrops', sizes=0.5), 'seam.scope': 'step'},
            'seam.negatives.sizes is 0.5, expected a list of one',
        ),
        (
            {'seam.negatives': dict(type='NegativeFolder')},
            'seam.negatives cannot be built: .*folder',
        ),
        (
            {'seam.image_labels': dict(type='JSONImageLabels')},
            "seam.image_labels: missing a required argument: 'path'",
        ),
        ({'seam.train_pipeline.flip.prob': 'often'}, 'seam.train_pipeline.flip'),
        (
            {'seam.negatives': dict(type='OldModelLabels', size=0), 'seam.scope': 'step'},
            "unknown key 'seam.negatives.size' of OldModelLabels",
        ),
    ],
)
def test_values(options, message, tiny_seam):
    """The key, the value and what is allowed, before anything is read or trained."""
    with pytest.raises(InvalidInputError, match=message):
        tiny_seam(**options)


def test_a_checkpoint_that_is_to_be_made(tiny_seam):
    """tools/train_affinity.py makes the refinement's checkpoint by the config that names it."""
    refine = dict(type='AffinityRandomWalk', net=NET, checkpoint='none_yet.pth')
    assert tiny_seam(**{'seam.refine': refine}).seam.refine.checkpoint == 'none_yet.pth'


def test_joint_training_has_no_step_before():
    """If it fails, the mistake is found when there is no network to look through."""
    with pytest.raises(InvalidInputError, match="'OldModelLabels'.*joint training has none"):
        load_config(
            CONFIGS / 'joint_s' / 'bisenet_r18_shapes_4-2.py',
            {'seam.scope': 'step', 'seam.negatives': dict(type='OldModelLabels')},
        )


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ("seam = dict(scopes='all')", "unknown key 'seam.scopes' of seam; did you mean"),
        ("seam = dict(_delete_=True, model=dict(type='SEAM'))", "has no 'seam.inference'"),
    ],
)
def test_keys(line, message, write_leaf):
    """A missing and a misspelt key are named."""
    with pytest.raises(InvalidInputError, match=message):
        load_config(write_leaf('mib/bisenet_r18_shapes_4-1', 'shapes', line))


@pytest.mark.parametrize('name', ['r50', 'r101', 'r38d', 'shapes'])
def test_every_base_builds(name, write_leaf):
    """Each of configs/_base_/seam fits the experiments, with ImageNet weights or without."""
    leaf = write_leaf('mib/bisenet_r101_15-5', name)
    for pretrained in (True, False):
        seam = load_config(leaf, {'pretrained': pretrained}).seam
        assert seam['scope'] == 'all' and seam['init_from'] is None
    if name != 'shapes':
        schedule = seam.schedule
        assert (schedule.lr, schedule.head_factor, schedule.batch_size, schedule.epochs) == (
            0.01,
            10,
            8,
            8,
        )
        assert (schedule.momentum, schedule.weight_decay, schedule.poly_power) == (
            dict(pretrained=0.0, scratch=0.9),
            5e-4,
            0.9,
        )
        assert list(seam.train_pipeline) == ['scale', 'flip', 'colour', 'crop']


@MODELS.register_module(force=True)
class NeedsCheckpoint:
    """A refinement that is nothing without its weights."""

    def __init__(self, checkpoint):
        self.checkpoint = checkpoint

    def refine(self, image, scores):
        return scores


def test_a_checkpoint_that_is_needed(tiny_seam, tmp_path):
    """If it fails, a refinement of one's own with a required checkpoint is refused."""
    path = tmp_path / 'weights.pth'
    path.touch()
    tiny_seam(**{'seam.refine': dict(type='NeedsCheckpoint', checkpoint=str(path))})


@pytest.mark.parametrize('key', ['chunk', 'train_chunk'])
def test_chunks(tiny_seam, key):
    """If it fails, SEAM has been trained before pixels come 0 at a time."""
    with pytest.raises(InvalidInputError, match=f'SEAMHead.{key} is 0, expected a whole number'):
        tiny_seam(**{f'seam.model.head.{key}': 0})
