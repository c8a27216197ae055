"""Overrides on the command line, by dotted key."""

from pathlib import Path

import pytest

from incseg.apis import load_config
from incseg.apis.config import DEFAULTS
from incseg.apis.config.loading import parse_options
from incseg.errors import InvalidInputError

CONFIG = Path(__file__).parents[3] / 'configs' / 'mib' / 'bisenet_r18_shapes_4-1.py'


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
    with pytest.raises(InvalidInputError, match="frozen is .'norms'., "):
        load_config(path, {'method.frozen': ['norms']})


def test_an_optional_setting_that_the_config_lacks():
    """If it fails, an optional setting can be overridden only where a config mentions it."""
    config = load_config(CONFIG, {'warmup_epochs': 1, 'method.memory.size': 4})
    assert (config.warmup_epochs, config.method.memory) == (1, dict(size=4))


def test_defaults_are_copied():
    """If it fails, one config's hooks are in the next config that is loaded."""
    config = load_config(CONFIG, {'custom_hooks.fuse': dict(type='CompileHook')})
    assert list(config.custom_hooks) == ['fuse'] and DEFAULTS['custom_hooks'] == {}
    assert load_config(CONFIG).custom_hooks == {}


def test_parse_options():
    """Values are Python where they are Python, words otherwise."""
    assert parse_options(
        ['a=1', 'b.c=(2, 3)', 'd=overlap', 'e=False', 'f=none', 'g=x=y', 'h={[]:1}']
    ) == {'a': 1, 'b.c': (2, 3), 'd': 'overlap', 'e': False, 'f': None, 'g': 'x=y', 'h': '{[]:1}'}
    with pytest.raises(InvalidInputError, match="--cfg-options is 'seed', expected KEY=VALUE"):
        parse_options(['seed'])


@pytest.mark.parametrize('value', ['[pear,apple]', '(pear, apple)'])
def test_names_without_quotes(value):
    """If it fails, the error is about a class that is called '['."""
    with pytest.raises(InvalidInputError, match=r"texts in quotes, as protocol.class_order='\["):
        parse_options([f'protocol.class_order={value}'])


def test_a_dict_that_was_left_at_its_default():
    """If it fails, a folder of a data set cannot be set on the command line."""
    dark = [[0, 0, 9]] * 7
    classes = ['background', *'abcdef']
    options = {
        f'data.{split}.metainfo.{key}': value
        for split in ('train', 'test')
        for key, value in (('palette', dark), ('classes', classes))
    }
    config = load_config(CONFIG, options)
    assert config.data['train'].metainfo == dict(palette=dark, classes=classes)
    with pytest.raises(InvalidInputError, match="'model.backbon'.*did you mean 'model.backbone'"):
        load_config(CONFIG, {'model.backbon.depth': 18})
    with pytest.raises(InvalidInputError, match="'metodh' of --cfg-options; did you mean 'method'"):
        load_config(CONFIG, {'metodh.frozen.x': 18})
