"""A config that comes from a file is data: it builds registered parts and imports nothing."""

import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
from mmengine.registry import Registry

from incseg.apis import Inferencer, init_model, load_config
from incseg.apis.config.check import check_config
from incseg.apis.config.stored import check_stored, read_stored
from incseg.apis.config.trained import load_trained_config
from incseg.engine import train_protocol
from incseg.engine.checkpoint import StepCheckpoint, save_checkpoint, stored_config
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import read_run_config
from incseg.registry import MODELS, OPTIMIZERS, find, is_registered
from incseg.utils.files import write_json

CONFIGS = Path(__file__).parents[3] / 'configs'
LEAVES = [leaf for leaf in sorted(CONFIGS.glob('*/*shapes*.py')) if leaf.parent.name != '_base_']
EVIL = 'subprocess.check_output'


def changed(config, dotted, value):
    """A copy of a config with one key set; folders of dicts are made."""
    made = deepcopy(config)
    node = made
    *parents, last = dotted.split('.')
    for key in parents:
        node = node.setdefault(key, {}) if isinstance(node.get(key), dict | type(None)) else {}
    node[last] = value
    return made


#: what a file may say, and how it is refused
ATTACKS = {
    'model.type': (EVIL, 'model.type is .*, expected a registered name, without dots'),
    'model.backbone.type': (EVIL, 'model.backbone.type is'),
    'model.backbone.norm_cfg': (dict(type=EVIL, args='true'), 'model.backbone.norm_cfg.type is'),
    'model.decode_head.act': ([dict(type='os.system', command='true')], r'act.0.type is'),
    'method.loss_decode.type': ('builtins.exec', 'method.loss_decode.type is'),
    'method.hooks': (dict(a=dict(type='incseg.EWCHook')), 'method.hooks.a.type is'),
    'model.decode_head._scope_': ('os', "_scope_ is 'os', expected no such key in a stored"),
    'data._base_': ('/etc/passwd', '_base_ is .*, expected no such key'),
    'data.train.type': ('antigravity', 'data.train.type is .*, expected a registered type'),
    'data.test_pipelines.whole': (dict(a=dict(type='$evil')), 'whole.a.type is'),
    'data.test.metainfo': (dict(type=dict(type=EVIL)), 'metainfo.type is'),
    'custom_hooks': (dict(a=dict(type=['EMAHook'])), r'custom_hooks.a.type is \[.*, expected a'),
}


@pytest.mark.parametrize('key', sorted(ATTACKS))
def test_only_registered_names(key, tiny):
    """If it fails, a stored config makes mmengine import or call what it names."""
    value, words = ATTACKS[key]
    config = changed({**stored_config(tiny()), 'evil': EVIL}, key, value)
    with pytest.raises(InvalidInputError, match=f'^here: .*{words}') as refused:
        check_stored(config, 'here')
    assert '\n' not in str(refused.value)


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: f'{leaf.parent.name}-{leaf.stem}')
def test_every_config_of_the_library_can_be_stored(leaf):
    """If it fails, a network cannot be used without its config after days of training."""
    check_stored(stored_config(load_config(leaf)), 'here')


@pytest.mark.parametrize('key', ['model.backbone.type', 'model.backbone.norm_cfg'])
def test_by_every_door(key, tiny, tmp_path, monkeypatch):
    """If it fails, one of the ways to open a checkpoint runs what its config names.

    The checkpoint says so itself, or ``config.json`` beside one that holds no config.
    """
    train_protocol(tiny(), tmp_path / 'run', [0], reuse=False)
    called = []
    monkeypatch.setattr(subprocess, 'check_output', lambda *args, **kwargs: called.append(args))
    path, leaf = tmp_path / 'run/step_0/final.pth', tiny().filename
    content = StepCheckpoint(path).content
    evil = changed(content['meta']['config'], key, ATTACKS[key][0])
    save_checkpoint({**content, 'meta': dict(content['meta'], config=evil)}, path, 'step')
    doors = [
        lambda: init_model(path),
        lambda: Inferencer(path),
        lambda: init_model(leaf, path),
        lambda: load_trained_config(None, {}, path),
        lambda: load_trained_config(leaf, {}, path),
    ]
    for use in doors:
        with pytest.raises(InvalidInputError, match='step_0/final.pth: model.backbone.*type is'):
            use()
    save_checkpoint({**content, 'meta': dict(content['meta'], config=None)}, path, 'step')
    file = tmp_path / 'run/config.json'
    write_json(file, changed(read_run_config(file.parent), key, ATTACKS[key][0]))
    for use in doors:
        with pytest.raises(InvalidInputError, match='run/config.json: model.backbone.*type is'):
            use()
    assert not called


def test_a_users_own_config_too(tiny, monkeypatch):
    """If it fails, a typing error, or a config that was copied from somewhere, calls a function.

    Nothing is built where it is refused, in parts that no check knows either.
    """
    called = []
    monkeypatch.setattr(subprocess, 'check_output', lambda *args, **kwargs: called.append(args))
    for key in ('model.backbone.type', 'data.train.type', 'schedule.optimizer.type'):
        config = tiny()
        node = config
        for each in key.split('.')[:-1]:
            node = node[each]
        node['type'] = EVIL
        with pytest.raises(InvalidInputError, match=f'{key} is .*, expected a registered type'):
            check_config(config)
    config = tiny()
    config.model.backbone.norm_cfg = dict(type=EVIL, args=['true'])
    with pytest.raises(InvalidInputError, match='model.backbone.norm_cfg.type is'):
        check_config(config)
    assert not called


@pytest.mark.parametrize('kind', ['SGD', 'mmengine.SGD', 'torch.optim.SGD', 'torch.optim.sgd.SGD'])
def test_registered_parts_by_any_of_their_names(kind, tiny):
    """If it fails, a config that names torch's optimisers as mmengine allows is refused."""
    config = tiny()
    config.schedule.optimizer.type = kind
    check_config(config)
    stored = stored_config(config)['schedule']['optimizer']['type']
    assert stored == kind.rpartition('.')[2], 'it is stored by its name alone'


def test_names_are_looked_up_without_imports(monkeypatch):
    """If it fails, the look-up itself imports what a file names."""
    imported = []
    monkeypatch.setattr(Registry, 'get', lambda self, key: imported.append(key))
    for name in (EVIL, 'os', 'antigravity.fly', 'mmseg.FCNHead', '', '.', 'incseg.Nothing'):
        assert find(name) is None
    assert find('FCNHead') is find('incseg.FCNHead') is MODELS.module_dict['FCNHead']
    assert find('SGD', OPTIMIZERS) is find('mmengine.SGD', OPTIMIZERS)
    assert find('SGD', MODELS) is None and find('FCNHead', OPTIMIZERS) is None
    assert not is_registered(subprocess.check_output) and is_registered(find('SGD'))
    assert not imported and 'antigravity' not in sys.modules


def test_the_checkpoint_wins_over_its_work_dir(tiny, tmp_path):
    """If it fails, a ``config.json`` that was edited changes what a network predicts."""
    train_protocol(tiny(), tmp_path / 'run', [0], reuse=False)
    (tmp_path / 'run/config.json').write_text('{"image_scale": 3}')
    stored = read_stored(StepCheckpoint(tmp_path / 'run/step_0/final.pth'))
    assert stored.place == 'step_0/final.pth' and stored.settings['image_scale'] == 1.0
    assert stored.name == 'configs/mib/bisenet_r18_shapes_4-1.py'
    assert 'filename' not in stored.settings
