"""Parts of a config are built on trial; a mistake is said with its key, before training."""

from pathlib import Path

import pytest
import torch
from torch import nn

from incseg.apis import load_config
from incseg.apis.config.check import check_types
from incseg.apis.config.parts import (
    check_image_label_source,
    check_part,
    check_pipeline,
    try_but_files,
    try_part,
)
from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import BaseBackbone, FCNHead
from incseg.registry import DATASETS, MODELS, TRANSFORMS

CONFIGS = Path(__file__).parents[3] / 'configs'
NET = dict(type='AffinityNet', backbone=dict(type='ResNet', depth=18))


@MODELS.register_module(force=True)
class LookingHead(FCNHead):
    """Looks at the values of its tensors while it is built."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rates = torch.linspace(0, 1, 3).tolist()


def test_a_head_that_looks_at_its_values(tiny):
    """Built without memory a tensor has no values; such a part is built for real, not refused."""
    tiny(**{'model.decode_head.type': 'LookingHead'})


def test_whatever_a_constructor_does_not_like():
    """A wrong kind of value is the config's fault: its key is named."""
    with pytest.raises(InvalidInputError, match="seam.refine cannot be built: .*'net'"):
        try_part('seam.refine', dict(type='AffinityRandomWalk'), MODELS)
    with pytest.raises(InvalidInputError, match='seam.negatives cannot be built: .*folder'):
        try_part('seam.negatives', dict(type='NegativeFolder'), DATASETS)
    assert len(try_part('x', dict(type='BackgroundCrops', sizes=[0.5]), DATASETS).sizes) == 1


def test_pipeline():
    """If it fails, a transform that cannot be built is noticed when a step begins."""
    check_pipeline('p', dict(crop=dict(type='RandomCrop', size=32), flip=None))
    with pytest.raises(InvalidInputError, match="size .*is 'many'"):
        check_pipeline('p', dict(crop=dict(type='RandomCrop', size='many')))
    with pytest.raises(InvalidInputError, match=r'p is \[\], expected transforms by name'):
        check_pipeline('p', [])


@TRANSFORMS.register_module(force=True)
class ReadsTable:
    """A transform of one's own that reads a file while it is built."""

    def __init__(self, path):
        self.text = open(path).read()  # noqa: SIM115


def test_a_transform_whose_file_is_elsewhere(tmp_path):
    """An evaluation does without the training's files; other mistakes are still said."""
    table = dict(type='ReadsTable', path=str(tmp_path / 'none.txt'))
    check_pipeline('p', dict(table=table))
    with pytest.raises(MissingFileError, match='p.table cannot be built: .*none.txt'):
        try_part('p.table', table, TRANSFORMS)
    with pytest.raises(InvalidInputError, match='p.table cannot be built: '):
        check_pipeline('p', dict(table=dict(table, path=[])))


def test_negatives_that_are_elsewhere(tmp_path):
    """An evaluation on another machine has not the pictures; without a folder there are none."""
    missing = dict(type='NegativeFolder', folder=str(tmp_path / 'none'))
    try_but_files('seam.negatives', missing, DATASETS)
    try_but_files('seam.negatives', None, DATASETS)
    with pytest.raises(InvalidInputError, match='seam.negatives cannot be built: .*folder'):
        try_but_files('seam.negatives', dict(type='NegativeFolder'), DATASETS)
    with pytest.raises(InvalidInputError, match="seam.negatives.confidence is 'high', expected"):
        try_but_files('seam.negatives', dict(type='BackgroundCrops', confidence='high'), DATASETS)


def test_source_of_image_labels():
    """A source lacks an argument; the data set is no argument of the config's."""
    check_image_label_source('m', None)
    check_image_label_source('m', dict(type='MaskImageLabels'))
    check_image_label_source('m', dict(type='JSONImageLabels', path='none.json'))
    with pytest.raises(InvalidInputError, match="m: missing a required argument: 'path'"):
        check_image_label_source('m', dict(type='JSONImageLabels'))
    with pytest.raises(InvalidInputError, match="unknown key 'm.dataset' of MaskImageLabels"):
        check_image_label_source('m', dict(type='MaskImageLabels', dataset=3))


@pytest.mark.parametrize(
    ('part', 'message'),
    [
        (dict(type='JSONImageLabels'), "m.parts.voc: missing a required argument: 'path'"),
        (dict(type='Typo'), "m.parts.voc.type is 'Typo', expected a registered type"),
        (5, r'm.parts.voc is 5, expected dict\(type='),
    ],
)
def test_sources_of_parts(part, message):
    """Those of joined data sets are sources, too."""
    with pytest.raises(InvalidInputError, match=message):
        check_image_label_source('m', dict(type='PartImageLabels', parts=dict(voc=part)))


def test_part_without_a_type():
    """A part must say what it is."""
    with pytest.raises(InvalidInputError, match=r'x is 3, expected dict\(type='):
        check_part('x', 3, MODELS)
    check_part('x', None, MODELS)


@pytest.mark.parametrize(
    ('seam', 'message'),
    [
        (
            dict(refine=dict(type='DenseCFR'), image_labels=dict(type='MaskImageLabels')),
            "seam.refine.type is 'DenseCFR', expected a reg",
        ),
        (
            dict(refine=dict(type='DenseCRF', iterations=3)),
            r"unknown key 'seam\.refine\.iterations'",
        ),
        (
            dict(image_labels=dict(type='JSONImageLabels')),
            "seam.image_labels: missing a required argument: 'path' of JSONImageLabels",
        ),
    ],
)
def test_parts_of_seam(tiny, seam, message):
    """A misspelt refinement, or labels from nowhere, are said before images are read."""
    config = tiny()
    config.seam = seam
    with pytest.raises(InvalidInputError, match=message):
        check_types(config)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'data.train_pipeline.flip': dict(type='RandomFlip', prob='often')},
            "train_pipeline.flip.prob is 'often', expected a number",
        ),
        ({'data.train_pipeline': 3}, 'data.train_pipeline is 3, expected transforms by name'),
        (
            {'method.hooks': dict(mine=dict(type='LoggerHook'))},
            "method.hooks.mine.type is 'LoggerHook', expected a MethodHook",
        ),
    ],
)
def test_values_of_parts(tiny, options, message):
    """What a part's constructor does not like is said with its key, not as a traceback."""
    with pytest.raises(InvalidInputError, match=message):
        tiny(**options)


def test_a_checkpoint_that_is_to_be_made(tiny_seam):
    """tools/train_affinity.py makes the refinement's checkpoint by the config that names it."""
    refine = dict(type='AffinityRandomWalk', net=NET, checkpoint='none_yet.pth')
    assert tiny_seam(**{'seam.refine': refine}).seam.refine.checkpoint == 'none_yet.pth'


@pytest.mark.parametrize('name', ['r50', 'r101', 'r38d', 'shapes'])
def test_every_base_of_seam_builds(name, tmp_path):
    """Each of configs/_base_/seam fits the experiments, with ImageNet weights or without."""
    leaf = tmp_path / 'leaf.py'
    bases = [f'{CONFIGS}/mib/bisenet_r101_15-5.py', f'{CONFIGS}/_base_/seam/{name}.py']
    leaf.write_text(f'_base_ = {bases}')
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


@MODELS.register_module(force=True)
class Miscounted(BaseBackbone):
    """A backbone that declares other channels than it hands out, where that is asked for."""

    def __init__(self, maps=(4, 8), stages=(4, 8)):
        super().__init__()
        self.out_channels, self.stage_channels = maps, stages
        self.layers = nn.ModuleList([nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 8, 3, 2, 1)])

    def forward_stages(self, x):
        first = self.layers[0](x)
        stages = first, self.layers[1](first.relu())
        return tuple(stage.relu() for stage in stages), stages


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(maps=(4, 9)), r'Miscounted.forward_maps returns is \[4, 8\], expected \[4, 9\]'),
        (dict(stages=(8,)), r'Miscounted.forward_stages returns is \[4, 8\], expected \[8\]'),
        (dict(maps=8), 'out_channels of Miscounted is 8, expected the channels of each map'),
    ],
)
def test_channels_of_a_backbone(changes, message, tiny):
    """If it fails, step 0 is trained before a method finds that the stages are others."""
    model = {'model.backbone': dict(type='Miscounted', **changes), 'model.auxiliary_head': None}
    with pytest.raises(InvalidInputError, match=message):
        tiny(**model)
    tiny(**{**model, 'model.backbone': dict(type='Miscounted')})


def test_a_key_of_the_base(tiny):
    """If it fails, a key that a base config gave to another head is taken for a misspelt one."""
    with pytest.raises(InvalidInputError, match='put _delete_=True into model.backbone'):
        tiny(bisenet=True, **{'model.backbone.type': 'Miscounted'})
