"""Configs as published: what they share with one another, and what each has of its own."""

from pathlib import Path

import pytest

from incseg.apis import load_config
from incseg.engine import Experiment
from incseg.engine.recipe.step import config_for_step
from incseg.evaluation.run_settings import flatten

ROOT = Path(__file__).parents[2] / 'configs'
METHODS = ('mib', 'lwf', 'ilt', 'plop', 'ewf', 'wilson')
#: what a config of configs/parity may change of the ordinary leaf of all methods
COMMON = {
    'eval_mode': 'mib_crop512',
    'schedule.amp': False,
    **{
        f'model.{head}.{key}': value
        for head in ('decode_head', 'auxiliary_head.aux_16', 'auxiliary_head.aux_32')
        for key, value in (('dropout_ratio', 0.0), ('init_std', None))
    },
}
VOID, FUTURE = {'data.void_as_background': True}, {'data.future': 'background'}
TORCH_INIT = {'method.classifier_init.std': None}
OWN = {
    'mib': VOID,
    'lwf': {**VOID, **TORCH_INIT},
    'ilt': {**VOID, **TORCH_INIT},
    'plop': {**FUTURE, 'method.target_labeller.median': 'paper_code'},
    'ewf': {
        **FUTURE,
        'method.distillation.logits.loss_weight': 10.0,
        'method.frozen': ['old_classifiers'],
    },
    'wilson': {**VOID, **FUTURE, **TORCH_INIT, 'protocol.name': '15-1'},
}


@pytest.mark.parametrize('method', METHODS)
def test_what_differs_from_the_ordinary_leaf(method):
    """If it fails, two methods are compared "as published" under different terms."""
    leaf = f'{method}/bisenet_r101_{"15-5" if method == "wilson" else "15-1"}.py'
    ordinary, parity = (
        dict(flatten(load_config(ROOT / path).to_dict()))
        for path in (leaf, f'parity/{method}_15-1.py')
    )
    absent = object()
    changed = {
        key: value
        for key, value in parity.items()
        if ordinary.get(key, absent) != value and key != 'filename'
    }
    assert changed == {**COMMON, **OWN[method]}
    assert not ordinary.keys() - parity.keys()


def test_every_config_is_tested():
    assert {path.stem for path in (ROOT / 'parity').glob('*.py')} == {f'{m}_15-1' for m in METHODS}


def test_options_of_step_0():
    """If it fails, an option that BiSeNet's own training codes have does not reach step 0 alone."""
    config = load_config(
        ROOT / 'mib/bisenet_r101_15-1.py',
        {
            'pretrained': False,
            'method.base_loss': dict(type='OhemCrossEntropyLoss'),
            'schedule.base_lr_factors': dict(decode_head=10.0),
            'schedule.base_norm_decay': False,
        },
    )
    step0, step1 = (
        config_for_step(Experiment(config), k, 100, 'w', previous='p' if k else None)
        for k in (0, 1)
    )
    assert step0.model.decode_head.loss_decode.type == 'OhemCrossEntropyLoss'
    assert step1.model.decode_head.loss_decode.type == 'UnbiasedCrossEntropyLoss'
    assert step0.optim_wrapper.paramwise_cfg == dict(
        lr_factors=dict(decode_head=10.0), norm_decay=False
    )
    assert 'paramwise_cfg' not in step1.optim_wrapper
