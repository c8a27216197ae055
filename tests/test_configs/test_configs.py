"""Every config in the repository, not only those that other tests train."""

from pathlib import Path

import pytest
from mmengine.config import Config

from incseg.apis import init_model, load_config
from incseg.engine import Experiment
from incseg.engine.labels import step_labels
from incseg.engine.recipe.names import resolve
from incseg.engine.recipe.step import config_for_step, config_for_test
from incseg.evaluation.run_settings import flatten
from incseg.registry import DATASETS, MODELS

ROOT = Path(__file__).parents[2] / 'configs'
LEAVES = sorted(path for path in ROOT.glob('*/*.py') if path.parent.name != '_base_')


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_builds(path):
    """Loads, passes the check, and its network is built for every step's kind."""
    config = load_config(path, {'pretrained': False})
    experiment = Experiment(config)
    folder = path.parent.name
    named = path.stem.removesuffix('_15-1') if folder == 'parity' else folder
    assert experiment.method == named or folder == 'bisenet'
    for k in {0, experiment.num_steps - 1}:
        previous, data = 'p.pth' if k else None, step_labels(experiment, k).dataset()
        step = config_for_step(experiment, k, 100, 'w', previous=previous, dataset=data)
        assert step.train_cfg.max_iters >= 1
        config_for_test(experiment, k, 'w')
    model = init_model(config, device='cpu')
    assert len(model.dataset_meta['classes']) == experiment.protocol.num_classes + 1
    for term in config['method']['distillation'].values():
        assert MODELS.get(term['type']) is not None
    for split in ('train', 'test'):
        assert DATASETS.get(resolve(config['data'], config)[split]['type']) is not None


@pytest.mark.parametrize(
    ('name', 'shared', 'own'),
    [
        ('wilson_40e', 'incremental_30e', {'epochs', 'warmup_epochs', 'schedule.lr_factors'}),
        (
            'wilson_shapes',
            'shapes',
            {'epochs', 'warmup_epochs', 'schedule.lr.added', 'schedule.lr_factors'},
        ),
    ],
)
def test_wilson_differs_by_its_own(name, shared, own):
    """If it fails, WILSON is compared with methods that were trained by another schedule."""
    ours, theirs = (
        dict(flatten(Config.fromfile(ROOT / f'_base_/schedules/{stem}.py').to_dict()))
        for stem in (name, shared)
    )
    differing = {key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)}
    assert {next((o for o in own if key.startswith(o)), key) for key in differing} == own


def test_stem_names_the_experiment():
    """<model>_<protocol>: the name must not lie about depth, data or protocol."""
    for path in LEAVES:
        config, name = load_config(path), path.stem
        if 'depth' in config.model.backbone and path.parent.name != 'parity':
            assert f'_r{config.model.backbone.depth}' in name
        if path.parent.name != 'bisenet':
            assert name.endswith(f'_{config.protocol.name}')


@pytest.mark.parametrize('method', ['mib', 'ewf'])
@pytest.mark.parametrize(
    ('leaf', 'weight'),
    [
        ('bisenet_r101_15-5', 10),
        ('bisenet_r101_19-1', 10),
        ('bisenet_r101_15-1', 100),
        ('bisenet_r101_10-1', 100),
    ],
)
def test_mib_weights(method, leaf, weight):
    """15-1 and 10-1 need 100, as the author says and the code of old did not."""
    config = load_config(ROOT / method / f'{leaf}.py')
    assert config.method.distillation.logits.loss_weight == weight


@pytest.mark.parametrize(
    'method, loss, terms, init',
    [
        ('lwf', 'CrossEntropyLoss', dict(logits=('LogitsDistillation', 100)), 'RandomInit'),
        ('frozen', 'CrossEntropyLoss', {}, 'RandomInit'),
        ('lwf_mc', 'BinaryCrossEntropyLoss', dict(logits=('BinaryDistillation', 10)), 'RandomInit'),
        (
            'ilt',
            'CrossEntropyLoss',
            dict(logits=('LogitsDistillation', 100), features=('FeatureDistillation', 100)),
            'RandomInit',
        ),
        (
            'plop',
            'CrossEntropyLoss',
            dict(pooled=('PooledDistillation', 1)),
            'BackgroundBalancedInit',
        ),
    ],
)
def test_published_choices(method, loss, terms, init):
    """The four choices and the weights of the published code's --method."""
    for path in (ROOT / method).glob('*.py'):
        chosen = load_config(path).method
        assert (chosen.loss_decode.type, chosen.classifier_init.type) == (loss, init)
        expected = dict(terms)
        if method == 'ilt' and 'voc_animals' in path.name:  # the leaf says why
            expected['features'] = ('FeatureDistillation', 1)
        assert {
            name: (term['type'], term.get('loss_weight', 1))
            for name, term in chosen.distillation.items()
        } == expected
        labeller = chosen.target_labeller
        assert (labeller and labeller.type) == (
            'EntropyPseudoLabeller' if method == 'plop' else None
        )


@pytest.mark.parametrize(
    'method, kind, weight, settings',
    [
        ('ewc', 'EWCHook', 500, dict(alpha=0.9)),
        ('pi', 'PathIntegralHook', 500, dict(damping=1e-20)),
        ('rw', 'RiemannianWalkHook', 100, dict(alpha=0.9, interval=10)),
    ],
)
def test_published_importance(method, kind, weight, settings):
    """Plain fine-tuning and one hook with the constants of the published code's --method."""
    for path in (ROOT / method).glob('*.py'):
        chosen = load_config(path).method
        assert (chosen.loss_decode.type, chosen.classifier_init.type) == (
            'CrossEntropyLoss',
            'RandomInit',
        )
        assert not chosen.distillation and chosen.target_labeller is None
        expected = dict(type=kind, loss_weight=weight, **settings)
        if method == 'pi' and 'shapes' in path.name:  # the leaf says why
            expected['damping'] = 1e-3
        assert chosen.hooks == {method: expected}


def test_ewf_is_mib_and_a_fusion():
    """Nothing but the hook may differ, or a table compares two things at once."""
    for path in (ROOT / 'ewf').glob('*.py'):
        ewf, mib = (load_config(ROOT / method / path.name).method for method in ('ewf', 'mib'))
        assert ewf.pop('hooks') == dict(fusion=dict(type='WeightFusionHook'))
        assert {**ewf, 'name': 'mib'} == {**mib}


def test_replay_is_fine_tuning_and_a_memory():
    """100 images for VOC and half of each batch, as SSUL-M; fewer for the small data sets; and the
    unbiased loss, as with the plain one the step's images call old classes background."""
    for path in (ROOT / 'replay').glob('*.py'):
        replay, ft = (load_config(ROOT / method / path.name).method for method in ('replay', 'ft'))
        size = 100 if 'r101' in path.name or 'voc' in path.name else 40
        assert replay.pop('memory') == dict(
            size=size, strategy='class_balanced', labels='seen', batch_share=0.5
        )
        loss = dict(type='UnbiasedCrossEntropyLoss')
        assert dict(replay) == {**ft, 'name': 'replay', 'loss_decode': loss}


def test_frozen_freezes_from_step_1_on():
    """The base step trains whole; later ones get all parts named, and other methods none."""
    for path in (ROOT / 'frozen').glob('*.py'):
        experiment = Experiment(load_config(path, {'pretrained': False}))
        base, added = (
            config_for_step(experiment, k, 100, 'w', previous='p.pth' if k else None)
            for k in (0, 1)
        )
        assert 'frozen' not in base.model
        assert added.model.frozen == ['backbone', 'head_features', 'old_classifiers']
    assert 'frozen' not in load_config(ROOT / 'ft/bisenet_r101_15-1.py').method


def test_plop_trains_short_steps_in_10_1():
    """Ten epochs for each of the ten steps, as published; other protocols as every method."""
    assert load_config(ROOT / 'plop/bisenet_r101_10-1.py').epochs == [30, 10]
    assert load_config(ROOT / 'plop/bisenet_r101_15-1.py').epochs == 30


def test_recipe():
    """The published optimisation: SGD nesterov .9, 1e-4, poly .9, batch 24, .01 then .001."""
    config = load_config(ROOT / 'mib/bisenet_r101_15-1.py')
    assert config.schedule.optimizer == dict(
        type='SGD', momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    assert (config.schedule.lr.base, config.schedule.lr.added) == (0.01, 0.001)
    assert (config.batch_size, config.epochs, config.crop_size) == (24, 30, 512)
    assert config.schedule.poly_power == 0.9
    assert config.data.train_pipeline.crop.type == 'RandomResizedCrop'


def test_offline_table():
    """The five offline settings, with all the augmentations they name."""
    table = set()
    for path in (ROOT / 'bisenet').glob('*.py'):
        config = load_config(path)
        table.add((config.model.backbone.get('depth'), config.schedule.lr.base, config.batch_size))
        assert (config.epochs, config.crop_size, config.protocol.name) == (30, 512, 'offline')
        kinds = [
            (t.type, t.get('direction', 'horizontal')) for t in config.data.train_pipeline.values()
        ]
        for kind in (
            ('RandomRotation', 'horizontal'),
            ('RandomFlip', 'horizontal'),
            ('RandomFlip', 'vertical'),
            ('ColourJitter', 'horizontal'),
            ('RandomResizedCrop', 'horizontal'),
        ):
            assert kind in kinds
    assert table == {
        (18, 0.001, 16),
        (18, 0.002, 32),
        (50, 0.001, 16),
        (101, 0.001, 16),
        (101, 0.002, 16),
    }
