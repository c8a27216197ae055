"""Every value that is not allowed is refused in one line: the key, the value, what is allowed."""

from pathlib import Path

import pytest

from incseg.apis import load_config
from incseg.apis.config.check import check_config
from incseg.errors import InvalidInputError

CONFIGS = Path(__file__).parents[3] / 'configs'
CONFIG = CONFIGS / 'mib/bisenet_r18_shapes_4-1.py'
MIB_S = CONFIGS / 'mib_s/bisenet_r18_shapes_4-2.py'
NET = dict(type='AffinityNet', backbone=dict(type='ResNet', depth=18))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'epohcs': 3}, "unknown key 'epohcs' of --cfg-options; did you mean 'epochs'"),
        ({'model.backbon.depth': 50}, "key 'model.backbon' of .*; did you mean 'model.backbone'"),
        ({'protocol.seting': 'overlap'}, "key 'protocol.seting' .*did you mean 'protocol.setting'"),
        ({'model.backbone.dpeth': 50}, "unknown key 'model.backbone.dpeth' of BiSeNet"),
        ({'schedule.optimizer.momentun': 1}, "unknown key 'schedule.optimizer.momentun' of SGD"),
        ({'data.train_pipeline.flip.probb': 1}, "unknown key 'data.train_pipeline.flip.probb'"),
        ({'epochs.x': 1}, r'epochs is \[4, 2\], expected a dict'),
        ({'epochs': -1}, 'epochs is -1, expected a whole number of at least 1'),
        ({'epochs': [3, 0]}, r'epochs is \[3, 0\], expected a whole number of at least 1'),
        ({'epochs': []}, r'epochs is \[\], expected'),
        (
            {'epochs': 1.5},
            'epochs is 1.5, expected a whole number .*, or a list of them$',
        ),
        ({'epochs': 'abc'}, "epochs is 'abc', expected a whole number"),
        ({'image_scale': 'half'}, "image_scale is 'half', expected a number above 0, up to 100$"),
        ({'batch_size': 0}, 'batch_size is 0'),
        ({'crop_size': (64, 0)}, r'crop_size is \(64, 0\), expected'),
        ({'pretrained': 'no'}, "pretrained is 'no', expected True, False or the path"),
        ({'num_workers': -1}, 'num_workers is -1'),
        ({'image_scale': 0}, 'image_scale is 0, expected a number above 0'),
        ({'seed': -5}, 'seed is -5'),
        ({'schedule.amp': 'off'}, "schedule.amp is 'off', expected True, False or 'auto'"),
        ({'data.void_as_background': 'no'}, "data.void_as_background is 'no', expected True or"),
        ({'schedule.lr': 0.1}, 'schedule.lr is 0.1, expected a dict'),
        ({'schedule.lr.base': float('inf')}, 'schedule.lr.base is inf, expected a number'),
        ({'schedule.poly_power': 'abc'}, "schedule.poly_power is 'abc', expected a number"),
        ({'schedule.optimizer.weight_decay': -1}, 'schedule.optimizer cannot be built: .*-1'),
        (
            {'method.distillation.logits.loss_weight': 'abc'},
            "loss_weight is 'abc', expected a number",
        ),
        (
            {'method.distillation.logits.source': 'decode_haed'},
            "source is 'decode_haed', expected '",
        ),
        (
            {'method.target_labeller': dict(type='EntropyPseudoLabeller', source='aux')},
            "method.target_labeller: source is 'aux', expected 'decode_head', 'aux_16' or 'aux_32'",
        ),
        (
            {'method.target_labeller': dict(type='EntropyPseudoLabeller', median='mean')},
            "median is 'mean', expected 'fixed' or 'paper_code'",
        ),
        (
            {'method.target_labeller': dict(type='EntropyPseudoLabeller', threshold=1)},
            "unknown key 'method.target_labeller.threshold'",
        ),
        (
            {'method.distillation': dict(features=dict(type='FeatureDistillation', index=3))},
            'method.distillation.features: index is 3, expected -3 to 2',
        ),
        (
            {'method.distillation': dict(pooled=dict(type='PooledDistillation', scales=[0]))},
            r'PooledDistillation scales is \[0\], expected positive whole numbers',
        ),
        ({'method.memory': 40}, 'method.memory is 40, expected a dict, or None'),
        (
            {'method.memory.strategy': 'random'},
            "the config has no 'method.memory.size'",
        ),
        (
            {'method.memory': dict(size=4, labels='x')},
            "method.memory.labels is 'x', expected 'seen'",
        ),
        (
            {'method.memory': dict(size=4, batch_share=0.01)},
            'batch_share is 0.01, expected a share',
        ),
        (
            {'method.hooks.fusion': dict(type='WeightFusionHook', factor=2)},
            'method.hooks.fusion.factor is 2, expected a number from 0 to 1, or None',
        ),
        (
            {'method.hooks.fusion': dict(type='WeightFusion')},
            'fusion.type is .WeightFusion., expected a registered type',
        ),
        ({'method.hooks.fusion.factor': 1}, "unknown key 'method.hooks.fusion' of"),
        ({'data.train_pipeline': None}, 'data.train_pipeline is None, expected transforms by name'),
        ({'method.loss_decode': None}, r'method.loss_decode is None, expected dict\(type='),
        ({'model.backbone': None}, r'model.backbone is None, expected dict\(type='),
        ({'model.backbone.depth': 19}, 'ResNet depth is 19, expected 18, 34, 50 or 101'),
        ({'norm_cfg.type': 'Foo'}, "norm_cfg.type is 'Foo', expected 'BN', 'SyncBN', 'GN'"),
        ({'model.decode_head.dropout_ratio': 5}, 'cannot be built: .*dropout'),
        ({'epochs': [1, 2, 3, 4]}, r'epochs is \[1, 2, 3, 4\], expected .* the 3 steps'),
        ({'width': 'huge'}, "width is 'huge', expected 'narrow' or 'wide'"),
        ({'schedule.lr.base': 0}, 'schedule.lr.base is 0, expected a number above 0'),
        ({'eval_mode': 'cropped'}, "eval_mode is 'cropped', expected 'whole'"),
        (
            {'model.decode_head.type': 'NoHead'},
            "decode_head.type is 'NoHead', expected a registered type",
        ),
        ({'protocol.name': '15'}, "protocol is '15', expected .*15-1"),
        ({'protocol.name': '7-1'}, 'base=7|base.*7'),
        (
            {'protocol.setting': 'overlapped'},
            'overlapped.*overlap.*disjoint.*partitioned',
        ),
        ({'protocol.class_order': [1, 2, 3, 4, 5, 5]}, '5'),
        ({'protocol.class_order': [1, 2, 3, 4, 5, 7]}, '6'),
    ],
)
def test_values(options, message):
    """Every mistake in an override is one line that names the key, the value, what is allowed."""
    with pytest.raises(InvalidInputError, match=message) as error:
        load_config(CONFIG, options)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'seam.scope': 'old'}, "seam.scope is 'old', expected 'all' or 'step'"),
        ({'seam.init_from': 3}, 'seam.init_from is 3, expected text, or None'),
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
            'seam.inference.uncertain is -3, expected a number from 0',
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
        ({'seam.model.backbone.output_stride': 5}, 'output_stride is 5, expected'),
        ({'seam.model.head.side_channels': 3}, 'side_channels is 3, expected a list'),
        ({'seam.train_pipeline.flip': dict(type='Flop')}, "train_pipeline.flip.type is 'Flop'"),
        ({'seam.negatives': dict(type='Nothing')}, "seam.negatives.type is 'Nothing'"),
        (
            {'seam.negatives': dict(type='BackgroundCrops')},
            "seam.scope is 'all', expected 'step': .*type is 'BackgroundCrops'",
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
def test_values_of_seam(options, message, tiny_seam):
    """The key, the value and what is allowed, before anything is read or trained."""
    with pytest.raises(InvalidInputError, match=message):
        tiny_seam(**options)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'annotation.steps': 'base'}, r"annotation\.steps is 'base', expected 'added' or 'all'"),
        ({'annotation.folder': 3}, r'annotation\.folder is 3, expected a folder, or None'),
        ({'annotation.threshold': 2}, r'annotation\.threshold is 2, expected a number from 0 to 1'),
        (
            {'annotation.uncertain': True},
            r'annotation\.uncertain is True, expected a number from 0',
        ),
        ({'annotation.gating': 1}, r'annotation\.gating is 1, expected True or False'),
        ({'seam': None}, "the config has no 'seam' to make pseudo-labels"),
        ({'method.memory.size': 3}, 'annotation and method.memory do not go together'),
    ],
)
def test_values_of_annotation(options, message):
    """One line with the key, the value and what is allowed, before anything is trained."""
    with pytest.raises(InvalidInputError, match=message):
        load_config(MIB_S, options)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'method.image_labels': None},
            'image_labels is None, expected a source for OnlineLoc',
        ),
        ({'method.image_labels': dict(type='MaskLabels')}, "image_labels.type is 'MaskLabels'"),
        (
            {'method.target_labeller': None},
            'target_labeller is None, expected a labeller that',
        ),
        (
            {'method.target_labeller': dict(type='EntropyPseudoLabeller')},
            "target_labeller.type is 'EntropyPseudoLabeller', expected a labeller",
        ),
        ({'method.memory.size': 4}, 'method.image_labels and method.memory do not go together'),
        ({'method.negatives': dict(type='Folder')}, "negatives.type is 'Folder'"),
        (
            {'method.negatives': dict(type='OldModelLabels')},
            "method.negatives.type is 'OldModelLabels', expected 'NegativeFolder'",
        ),
        ({'method.target_labeller.alpha': 2}, 'alpha is 2, expected a number from 0 to 1'),
        ({'method.target_labeller.source': 'aux'}, "target_labeller: source is 'aux', expected"),
        (
            {'method.loss_decode': dict(type='CrossEntropyLoss')},
            'decode_head is .CrossEntropyLoss., expected a loss with soft',
        ),
        (
            {'warmup_epochs': 2},
            r'step 1 has 2 epoch\(s\), all of them within warmup_epochs = 2, .*: '
            'pass --epochs 3 or more, or --cfg-options warmup_epochs=1 or less$',
        ),
        ({'epochs': 1}, r'pass --epochs 2 or more, or --cfg-options warmup_epochs=0$'),
        ({'warmup_epochs': -1}, 'warmup_epochs is -1, expected a whole number of at least 0'),
        (
            {'schedule.lr_factors': dict(decode_haed=10.0)},
            "lr_factors is 'decode_haed', expected a part",
        ),
        (
            {'schedule.lr_factors.decode_head': 0},
            "lr_factors is {'decode_head': 0, .*expected a dict",
        ),
        ({'schedule.lr_factors': 10.0}, 'schedule.lr_factors is 10.0, expected a dict'),
    ],
)
def test_values_of_image_level_labels(options, message, tiny_wilson):
    """If it fails, the mistake is found hours later, or never."""
    with pytest.raises(InvalidInputError, match=message):
        tiny_wilson(**options)


def test_negatives_without_image_labels(tiny):
    """If it fails, negatives of a method with masks are left out in silence."""
    config = tiny('mib')
    config.method.negatives = dict(type='NegativeFolder', folder='x')
    with pytest.raises(InvalidInputError, match='method.negatives are for method.image_labels'):
        check_config(config)


def test_joint_steps_have_no_warmup(tiny_wilson):
    """If it fails, --epochs 1 is refused where no step has a warm-up to shorten."""
    assert tiny_wilson(**{'warmup_epochs': 0, 'epochs': 1}).epochs == 1


def test_joint_training_has_no_step_before():
    """If it fails, the mistake is found when there is no network to look through."""
    with pytest.raises(InvalidInputError, match="type is 'OldModelLabels', expected .*joint"):
        load_config(
            CONFIGS / 'joint_s' / 'bisenet_r18_shapes_4-2.py',
            {'seam.scope': 'step', 'seam.negatives': dict(type='OldModelLabels')},
        )


@pytest.mark.parametrize('key', ['chunk', 'train_chunk'])
def test_chunks(tiny_seam, key):
    """If it fails, SEAM has been trained before pixels come 0 at a time."""
    with pytest.raises(InvalidInputError, match=f'SEAMHead.{key} is 0, expected a whole number'):
        tiny_seam(**{f'seam.model.head.{key}': 0})


def test_labels_that_are_there_need_no_seam(tmp_path):
    """Somebody else's pseudo-labels come without our network."""
    assert load_config(MIB_S, {'annotation.folder': str(tmp_path), 'seam': None}).annotation


def test_arguments_of_annotation_have_defaults(tmp_path):
    """If it fails, ``annotation`` is not a part like the others, with arguments of its class."""
    leaf = tmp_path / 'leaf.py'
    leaf.write_text(f"_base_ = '{MIB_S}'\nannotation = dict(_delete_=True, steps='all')\n")
    assert load_config(leaf).annotation == dict(steps='all')
    with pytest.raises(InvalidInputError, match="'annotation.gate' of PseudoLabels; did you mean"):
        load_config(leaf, {'annotation': dict(steps='all', gate=True)})
