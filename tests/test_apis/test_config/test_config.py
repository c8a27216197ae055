from pathlib import Path

import pytest

from incseg.apis import load_config
from incseg.apis.config.loading import parse_options
from incseg.errors import InvalidInputError, MissingFileError

CONFIG = Path(__file__).parents[3] / 'configs' / 'mib' / 'bisenet_r18_shapes_4-1.py'


def test_unknown_config(tmp_path):
    """A mistyped path is named."""
    with pytest.raises(MissingFileError, match=r'no config at .*nowhere\.py'):
        load_config(tmp_path / 'nowhere.py')


def test_folder_for_a_config(tmp_path):
    """Forgetting the file name says so."""
    with pytest.raises(InvalidInputError, match='is a folder, expected a .py file'):
        load_config(tmp_path)


def test_other_file_for_a_config(tmp_path):
    """A checkpoint in the config's place is not executed."""
    (tmp_path / 'a.pth').write_bytes(b'x')
    with pytest.raises(InvalidInputError, match='is not a .py file'):
        load_config(tmp_path / 'a.pth')


def test_broken_config(tmp_path):
    """A config that does not import names itself and the reason, in one line."""
    path = tmp_path / 'a.py'
    path.write_text('epochs = = 3\n')
    with pytest.raises(InvalidInputError, match=r'a\.py cannot be read: SyntaxError') as error:
        load_config(path)
    assert '\n' not in str(error.value)


def test_missing_custom_import(tmp_path):
    """A custom package that is not on the path is named, not swallowed."""
    path = tmp_path / 'a.py'
    path.write_text(f"_base_ = ['{CONFIG}']\ncustom_imports = dict(imports=['no_such_package'])\n")
    with pytest.raises(InvalidInputError, match='no_such_package'):
        load_config(path)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'epohcs': 3}, "unknown key 'epohcs'; did you mean 'epochs'"),
        ({'model.backbon.depth': 50}, "unknown key 'model.backbon'; did you mean 'backbone'"),
        ({'protocol.seting': 'overlap'}, "unknown key 'protocol.seting'; did you mean 'setting'"),
        ({'model.backbone.dpeth': 50}, "unknown key 'model.backbone.dpeth' of BiSeNet"),
        ({'schedule.optimizer.momentun': 1}, "unknown key 'schedule.optimizer.momentun' of SGD"),
        ({'data.train_pipeline.flip.probb': 1}, "unknown key 'data.train_pipeline.flip.probb'"),
        ({'epochs.x': 1}, r'epochs is \[10, 8\], which has no keys'),
        ({'epochs': -1}, 'epochs is -1, expected a whole number of at least 1'),
        ({'epochs': [3, 0]}, 'epochs is 0, expected a whole number of at least 1'),
        ({'epochs': []}, 'epochs is an empty list'),
        ({'epochs': 1.5}, 'epochs is 1.5, expected a whole number or a list of them$'),
        ({'epochs': 'abc'}, "epochs is 'abc', expected a whole number or a list of them$"),
        ({'image_scale': 'half'}, "image_scale is 'half', expected a whole number or a number$"),
        ({'batch_size': 0}, 'batch_size is 0'),
        ({'crop_size': (64, 0)}, 'crop_size is 0'),
        ({'pretrained': 'no'}, "pretrained is 'no', expected True or False"),
        ({'num_workers': -1}, 'num_workers is -1'),
        ({'image_scale': 0}, 'image_scale is 0, expected a number above 0'),
        ({'seed': -5}, 'seed is -5'),
        ({'schedule.amp': 'off'}, "schedule.amp is 'off', expected True, False or 'auto'"),
        ({'data.void_as_background': 'no'}, "data.void_as_background is 'no', expected True or"),
        ({'schedule.lr': 0.1}, r'schedule.lr is 0.1, expected dict\(base=…, added=…\)'),
        ({'schedule.lr.base': float('inf')}, 'schedule.lr.base is inf, expected a number'),
        ({'schedule.poly_power': 'abc'}, "schedule.poly_power is 'abc', expected a number"),
        ({'schedule.optimizer.weight_decay': -1}, 'schedule.optimizer cannot be built: .*-1'),
        (
            {'method.distillation.logits.loss_weight': 'abc'},
            "loss_weight is 'abc', expected a number",
        ),
        (
            {'method.distillation.logits.source': 'decode_haed'},
            "source is 'decode_haed', allowed: ",
        ),
        (
            {'method.target_labeller': dict(type='EntropyPseudoLabeller', source='aux')},
            "method.target_labeller: source is 'aux', allowed: .'decode_head', 'aux_16', 'aux_32'.",
        ),
        (
            {'method.target_labeller': dict(type='EntropyPseudoLabeller', median='mean')},
            "median is 'mean', allowed: .'fixed', 'paper_code'.",
        ),
        (
            {'method.target_labeller': dict(type='EntropyPseudoLabeller', threshold=1)},
            "unknown key 'method.target_labeller.threshold'",
        ),
        (
            {'method.distillation': dict(features=dict(type='FeatureDistillation', index=3))},
            'method.distillation.features: index is 3, allowed: -3 to 2',
        ),
        (
            {'method.distillation': dict(pooled=dict(type='PooledDistillation', scales=[0]))},
            r'PooledDistillation scales is \[0\], allowed: positive whole numbers',
        ),
        ({'method.memory': 40}, r'method.memory is 40, expected dict\(size=…, …\), or None'),
        (
            {'method.memory.strategy': 'random'},
            'method.memory.size is None, expected a whole number',
        ),
        (
            {'method.memory': dict(size=4, labels='x')},
            "method.memory.labels is 'x', allowed: .'seen'",
        ),
        ({'method.memory': dict(size=4, batch_share=0.01)}, 'which is 0 images of a batch of 16'),
        (
            {'method.hooks.fusion': dict(type='WeightFusionHook', factor=2)},
            'method.hooks.fusion.factor is 2, expected a number from 0 to 1, or None',
        ),
        (
            {'method.hooks.fusion': dict(type='WeightFusion')},
            'fusion.type is .WeightFusion., which is',
        ),
        ({'method.hooks.fusion.factor': 1}, "unknown key 'method.hooks.fusion'; allowed"),
        ({'data.train_pipeline': None}, 'data.train_pipeline is None, expected transforms by name'),
        ({'method.loss_decode': None}, r'method.loss_decode is None, expected dict\(type='),
        ({'model.backbone': None}, r'model.backbone is None, expected dict\(type='),
        ({'model.backbone.depth': 19}, r'ResNet depth is 19, allowed: \[18, 34, 50, 101\]'),
        ({'norm_cfg.type': 'Foo'}, "norm_cfg.type is 'Foo', allowed: 'BN', 'SyncBN', 'GN'"),
        ({'model.decode_head.dropout_ratio': 5}, 'cannot be built: .*dropout'),
        ({'epochs': [1, 2, 3, 4]}, 'epochs is .*, but there are only 3 step'),
        ({'width': 'huge'}, "width is 'huge', allowed: .*narrow.*wide"),
        ({'schedule.lr.base': 0}, 'schedule.lr.base is 0, expected a number above 0'),
        ({'eval_mode': 'cropped'}, "eval_mode is 'cropped', allowed: .*whole"),
        (
            {'model.decode_head.type': 'NoHead'},
            "decode_head.type is 'NoHead', which is not registered",
        ),
        ({'protocol.name': '15'}, "protocol '15'.*15-1"),
        ({'protocol.name': '7-1'}, 'base=7|base.*7'),
        ({'protocol.setting': 'overlapped'}, 'overlapped.*overlap.*disjoint.*sequential'),
        ({'protocol.class_order': [1, 2, 3, 4, 5, 5]}, '5'),
        ({'protocol.class_order': [1, 2, 3, 4, 5, 7]}, '6'),
    ],
)
def test_bad_option(options, message):
    """Every mistake in an override is one line that names the key, the value, what is allowed."""
    with pytest.raises(InvalidInputError, match=message) as error:
        load_config(CONFIG, options)
    assert '\n' not in str(error.value)


def test_override_reaches_what_is_derived():
    """Each thing is said once: an override of the setting changes the protocol that is built."""
    from incseg.engine import Experiment

    config = load_config(CONFIG, {'protocol.setting': 'disjoint', 'protocol.name': '2-2'})
    protocol = Experiment(config).protocol
    assert (protocol.setting, protocol.name, protocol.num_steps) == ('disjoint', '2-2', 3)


def test_new_argument_of_a_typed_part():
    """An argument left at its default can be given, though the config does not mention it."""
    config = load_config(CONFIG, {'model.decode_head.dropout_ratio': 0.3})
    assert config.model.decode_head.dropout_ratio == 0.3


@pytest.mark.parametrize('method', ['ft', 'mib', 'plop', 'ewf'])
def test_a_hook_on_top_of_any_method(method):
    """Named collections take new names, whether the method has the collection or not."""
    path = CONFIG.parents[1] / method / CONFIG.name
    config = load_config(path, parse_options(["method.hooks.mine={'type': 'WeightFusionHook'}"]))
    assert config.method.hooks.mine == dict(type='WeightFusionHook')
    config = load_config(path, {'method.hooks': dict(mine=dict(type='WeightFusionHook'))})
    assert list(config.method.hooks) == ['mine']


@pytest.mark.parametrize('method', ['ft', 'mib', 'plop', 'ewc'])
def test_any_method_may_freeze_parts(method):
    """If it fails, a frozen backbone or its BatchNorms need a config of one's own."""
    path = CONFIG.parents[1] / method / CONFIG.name
    config = load_config(path, parse_options(["method.frozen=['backbone_norm']"]))
    assert config.method.frozen == ['backbone_norm']
    with pytest.raises(InvalidInputError, match="frozen is .'norm'., allowed: a list of"):
        load_config(path, {'method.frozen': ['norm']})


def test_a_plug_ins_own_mistake_is_shown(tmp_path, monkeypatch):
    """Not that an import failed, but why and where."""
    (tmp_path / 'broken_plugin.py').write_text('import torch\nimport no_such_module_of_mine\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / 'a.py'
    path.write_text(f"_base_ = ['{CONFIG}']\ncustom_imports = dict(imports=['broken_plugin'])\n")
    with pytest.raises(InvalidInputError, match=r'no_such_module_of_mine.*broken_plugin.py:2'):
        load_config(path)


def test_unknown_top_level_key_in_a_file(tmp_path):
    """A typo in a leaf is found too, not only on the command line."""
    path = tmp_path / 'a.py'
    path.write_text(f"_base_ = ['{CONFIG}']\nepohcs = 3\n")
    with pytest.raises(InvalidInputError, match="unknown key 'epohcs' of the config; did you mean"):
        load_config(path)


def test_parse_options():
    """Values are Python where they are Python, words otherwise."""
    assert parse_options(
        ['a=1', 'b.c=(2, 3)', 'd=overlap', 'e=False', 'f=none', 'g=x=y', 'h={[]:1}']
    ) == {'a': 1, 'b.c': (2, 3), 'd': 'overlap', 'e': False, 'f': None, 'g': 'x=y', 'h': '{[]:1}'}
    with pytest.raises(InvalidInputError, match="'seed': expected key=value"):
        parse_options(['seed'])
