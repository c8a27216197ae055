"""``'$name'`` means the same in every section, and a config may have keys of its own."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from torch import nn

from incseg.apis import init_model, load_config
from incseg.apis.config.trained import load_trained_config
from incseg.engine import Experiment, train_protocol
from incseg.engine.base_steps import BaseSteps
from incseg.engine.recipe.step import config_for_step, config_for_test
from incseg.engine.weak.seam_store import network_settings
from incseg.engine.work_dir import write_run_config
from incseg.errors import InvalidInputError
from incseg.registry import HOOKS, MODELS
from tests.conftest import TINY

CONFIGS = Path(__file__).parents[3] / 'configs'
MIB = CONFIGS / 'mib/bisenet_r18_shapes_4-1.py'


@MODELS.register_module(force=True)
class DeepBackbone(nn.Sequential):
    """A backbone with a depth, and neither a width nor norm layers of the config."""

    def __init__(self, depth):
        layers = [nn.Conv2d(3 if i == 0 else 8, 8, 3, 2, 1) for i in range(depth)]
        super().__init__(*layers)
        self.out_channels = (8,)

    def forward(self, x):
        return (super().forward(x),)


@HOOKS.register_module(force=True)
class RememberHook(Hook):
    """A hook that remembers its argument."""

    def __init__(self, value):
        self.value = value


@pytest.fixture
def leaf(tmp_path):
    """Write a leaf on a model base without ``width`` and ``norm_cfg``, with its own ``depth``."""
    base = tmp_path / 'deep.py'
    base.write_text(
        'pretrained = False\ndepth = 2\n'
        "model = dict(type='IncrementalSegmentor',\n"
        "             backbone=dict(type='DeepBackbone', depth='$depth'),\n"
        "             decode_head=dict(type='FCNHead', channels=8))\n"
    )

    def write(*lines, seam=False):
        bases = [str(base)]
        bases += [
            str(CONFIGS / '_base_' / f'{name}.py')
            for name in (
                'data/shapes',
                'protocols/4-1',
                'schedules/shapes',
                'methods/mib',
                *(['seam/shapes'] if seam else []),
            )
        ]
        path = tmp_path / 'leaf.py'
        path.write_text('\n'.join([f'_base_ = {bases}', *lines]) + '\n')
        return path

    return write


def test_a_model_base_with_its_own_key(leaf, tmp_path):
    """If it fails, a network with other settings than BiSeNet's needs an edit of the library."""
    options = dict(TINY, epochs=1, base_steps_dir=str(tmp_path / 'base'), depth=3)
    config = load_config(leaf(), options)
    assert 'width' not in config and 'norm_cfg' not in config
    assert len(init_model(config, device='cpu').backbone) == 3
    ledger = train_protocol(config, tmp_path / 'run', steps=[0, 1])
    assert len(ledger.steps) == 2
    kept = json.loads((tmp_path / 'run/config.json').read_text())
    assert kept['depth'] == 3 and kept['model']['backbone']['depth'] == '$depth'
    trained, notes = load_trained_config(leaf(), {}, tmp_path / 'run/step_1/final.pth')
    assert trained.depth == 3 and 'depth = 3 (not 2)' in notes[0], 'an evaluation depends on it'


def test_own_keys_that_a_base_needs(leaf):
    """If it fails, a missing setting of a base of somebody else ends in a traceback."""
    line = "model = dict(decode_head=dict(norm_cfg='$norm_cfg'))"
    with pytest.raises(InvalidInputError, match=r'model.decode_head.norm_cfg is .\$norm_cfg., but'):
        load_config(leaf(line))
    config = load_config(leaf(line, "norm_cfg = '$norm'", "norm = dict(type='GN', num_groups=2)"))
    assert any(isinstance(m, nn.GroupNorm) for m in init_model(config, device='cpu').modules())


LINES = {
    'loss': "method = dict(loss_decode=dict(loss_weight='$mine'))",
    'distillation': "method = dict(distillation=dict(logits=dict(loss_weight='$mine')))",
    'a whole part': "method = dict(distillation=dict(logits='$term'))",
    'frozen': "method = dict(frozen='$parts')",
    'init': "method = dict(classifier_init='$init')",
    'hooks': "method = dict(hooks=dict(fuse=dict(type='WeightFusionHook', factor='$mine')))",
    'custom_hooks': "custom_hooks = dict(a=dict(type='RememberHook', value='$mine'))",
    'optimiser': "schedule = dict(optimizer=dict(momentum='$mine'))",
    'lr': "schedule = dict(lr=dict(base='$mine', added='$mine'))",
    'lr_factors': "schedule = dict(lr_factors=dict(decode_head='$mine'))",
    'memory': "method = dict(memory=dict(size=4, batch_share='$mine'))",
    'a setting': "image_scale = '$mine'",
    'protocol': "protocol = '$steps'",
}


@pytest.mark.parametrize('line', LINES.values(), ids=LINES)
def test_every_section(line, tmp_path):
    """If it fails, a name is resolved in one section and is text in another."""
    names = dict(
        mine=0.5,
        term=dict(type='UnbiasedLogitsDistillation', loss_weight=0.5),
        parts=['backbone_norm'],
        init=dict(type='RandomInit'),
        steps=dict(name='4-1', setting='disjoint'),
    )
    lines = [f'{key} = {value!r}' for key, value in names.items() if f"'${key}'" in line]
    path = tmp_path / 'leaf.py'
    path.write_text('\n'.join([f"_base_ = '{MIB}'", line, *lines]))
    experiment = Experiment(load_config(path, TINY))
    configs = [config_for_step(experiment, k, 16, 'w', previous='p') for k in (0, 1)]
    assert '$' not in str([config.to_dict() for config in configs])
    parts = configs[1].to_dict(), experiment.config['method'].get('memory')
    assert '0.5' in str(parts) or 'mine' not in line
    assert "'$" in str(experiment.raw_config), 'what a work dir keeps stays as it was written'
    if 'steps' in line:
        assert experiment.protocol.setting == 'disjoint'


def test_a_shared_base_step_is_told_by_own_keys(tmp_path, tiny):
    """If it fails, a base step trained with another transform is used, and numbers are wrong."""

    def place(**options):
        path = tmp_path / 'leaf.py'
        path.write_text(
            f"_base_ = '{MIB}'\nprob = 0.5\n"
            "data = dict(train_pipeline=dict(flip=dict(prob='$prob')))\n"
        )
        experiment = Experiment(load_config(path, {**TINY, **options}))
        step, test = config_for_step(experiment, 0, 16, 'w'), config_for_test(experiment, 0, 'w')
        return BaseSteps(tmp_path).place(experiment, step, test, [])

    assert place() == place(num_workers=1)
    assert len({place(), place(prob=0.25), place(prob=0.75)}) == 3


def test_a_seam_network_is_told_by_own_keys(leaf):
    """If it fails, SEAM that started from a deeper step 0 is taken for the one of this config."""

    def settings(**options):
        path = leaf("seam = dict(init_from='step0', model=dict(backbone=dict(norm_cfg=None)))",
                    seam=True)  # fmt: skip
        return network_settings(Experiment(load_config(path, options)), 0)

    assert settings()['step 0']['depth'] == 2
    assert settings() != settings(depth=3)


def test_own_roots_of_data(leaf, tmp_path):
    """If it fails, a work dir whose second data set has moved cannot be tested or resumed."""
    path = leaf(
        "more_root = 'here'",
        "custom_hooks = dict(a=dict(type='RememberHook', value='$more_root'))",
    )
    config = load_config(path, {'more_root': str(tmp_path / 'gone')})
    write_run_config(config, tmp_path / 'run')
    Experiment(config).new_ledger().write(tmp_path / 'run')
    assert load_trained_config(path, {}, tmp_path / 'run/step_0/final.pth')[0].more_root == 'here'


def test_tuples_stay_tuples(tiny):
    """If it fails, a part that asks for a tuple gets a list where the config has names."""
    experiment = Experiment(tiny(crop_size=(32, 24)))
    assert experiment.config['crop_size'] == (32, 24)
    assert experiment.config is not experiment.raw_config
    assert torch.Size(experiment.config['crop_size']) == (32, 24)
