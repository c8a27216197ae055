"""Keys that are missing or unknown: named, with the most similar key that is known."""

from pathlib import Path

import pytest

from incseg.apis import load_config
from incseg.apis.config.check import check_config
from incseg.errors import InvalidInputError

CONFIGS = Path(__file__).parents[3] / 'configs'
CONFIG = CONFIGS / 'mib/bisenet_r18_shapes_4-1.py'


def test_missing_section(tiny):
    """A config without its schedule says so, instead of failing deep in the composition."""
    config = tiny()
    config.pop('schedule')
    with pytest.raises(InvalidInputError, match="the config has no 'schedule'"):
        check_config(config)
    config = tiny()
    config['method'].pop('classifier_init')
    with pytest.raises(InvalidInputError, match="no 'method.classifier_init'"):
        check_config(config)


@pytest.mark.parametrize(
    ('option', 'value', 'message'),
    [
        ('loss_weight', 'much', r"method.hooks.ewc.loss_weight is 'much', expected a number"),
        (
            'loss_wieght',
            1.0,
            r"unknown key 'method.hooks.ewc.loss_wieght'.*did you mean.*loss_weight",
        ),
    ],
)
def test_a_methods_hook(tiny, option, value, message):
    """If it fails, a typing error in a hook's settings is found when step 1 begins."""
    config = tiny('ewc')
    config['method']['hooks']['ewc'][option] = value
    with pytest.raises(InvalidInputError, match=message):
        check_config(config)


@pytest.mark.parametrize(
    ('base', 'line', 'message'),
    [
        (
            'mib/bisenet_r18_shapes_4-1',
            'epohcs = 3',
            "'epohcs' of .*; did you mean 'epochs'",
        ),
        ('mib/bisenet_r18_shapes_4-1', "mine = '$epochs'", "unknown key 'mine' of the config"),
        (
            'mib/bisenet_r18_shapes_4-1',
            'schedule = dict(lr=dict(bsae=1.0))',
            "'schedule.lr.bsae' of schedule.lr; did you mean 'schedule.lr.base'",
        ),
        (
            'mib_s/bisenet_r18_shapes_4-2',
            "seam = dict(scopes='all')",
            "unknown key 'seam.scopes' of seam; did you mean",
        ),
        (
            'mib_s/bisenet_r18_shapes_4-2',
            "seam = dict(_delete_=True, model=dict(type='SEAM'))",
            "has no 'seam.inference'",
        ),
        (
            'mib_s/bisenet_r18_shapes_4-2',
            "annotation = dict(_delete_=True, folder='x')",
            r"the config has no 'annotation\.steps'",
        ),
    ],
)
def test_keys_of_a_leaf(base, line, message, tmp_path):
    """If it fails, a mistyped key in a file is not used and not noticed."""
    leaf = tmp_path / 'leaf.py'
    leaf.write_text(f"_base_ = ['{CONFIGS}/{base}.py']\n{line}\n")
    with pytest.raises(InvalidInputError, match=message):
        load_config(leaf)
