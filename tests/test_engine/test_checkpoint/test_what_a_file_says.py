"""The keys of a step's checkpoint that make it a model by itself."""

from types import SimpleNamespace

import torch

from incseg.engine import train_protocol
from incseg.engine.checkpoint import (
    StepCheckpoint,
    model_meta,
    read_resume_checkpoint,
    sealed,
    stored_config,
)
from incseg.engine.recipe.experiment import Experiment
from incseg.registry import MODELS
from incseg.utils.content_digest import content_digest, tensors_digest


def test_the_chain_of_networks(tiny, tmp_path):
    """If it fails, nothing tells whether a step grew from the network that lies before it."""
    train_protocol(tiny(image_scale=0.5), tmp_path / 'w', reuse=False)
    steps = [StepCheckpoint(tmp_path / f'w/step_{k}/final.pth') for k in range(3)]
    assert [step.meta['previous'] for step in steps] == [None, steps[0].tensors, steps[1].tensors]
    assert len({step.tensors for step in steps}) == 3
    for step in steps:
        assert (step.meta['format'], step.meta['kind']) == (1, 'step')
        assert isinstance(step.meta['data'], str), 'the fingerprint of its images and masks'
        assert step.meta['config']['image_scale'] == 0.5


def test_a_shared_base_step_says_its_own_config(tiny, tmp_path):
    """If it fails, a run that took a base step stores the config of the run that made it."""
    train_protocol(tiny('mib'), tmp_path / 'a', [0])
    train_protocol(tiny('ft', num_workers=0), tmp_path / 'b', [0])
    first, second = (StepCheckpoint(tmp_path / f'{name}/step_0/final.pth') for name in 'ab')
    assert first.tensors == second.tensors
    assert second.meta['config']['method']['name'] == second.meta['method'] == 'ft'


def test_the_config_is_complete_plain_data(tiny):
    """If it fails, an override is lost, or a '$name' no longer follows what it names."""
    config = tiny(
        bisenet=True, **{'width': 'wide', 'crop_size': (64, 64), 'model.backbone.norm_cfg': None}
    )
    config.model.decode_head.type = MODELS.get('FCNHead')
    config.model.backbone.type = 'incseg.BiSeNet'
    meta = model_meta(Experiment(config), SimpleNamespace(tensors='abc'), dict(images='1'))
    stored = meta['config']
    assert stored['width'] == 'wide' and stored['model']['backbone']['width'] == '$width'
    assert stored['crop_size'] == (64, 64) and stored['seed'] == 42
    assert stored['model']['decode_head']['type'] == 'FCNHead', 'a class is stored by its name'
    assert stored['model']['backbone']['type'] == 'BiSeNet', 'and a scope is left out'
    assert stored['filename'] == 'configs/mib/bisenet_r18_shapes_4-1.py'
    assert (meta['previous'], meta['data'], meta['imports']) == ('abc', dict(images='1'), [])
    assert meta['input']['channels'] == 'rgb' and meta['input']['eval_mode'] == 'whole'
    assert meta['input']['mean'] == [123.675, 116.28, 103.53]
    assert content_digest(stored), 'plain data'


def test_what_is_no_plain_data_becomes_text():
    """If it fails, a config with an object in it cannot be saved after hours of training."""
    stored = stored_config(dict(seed=torch.tensor(3), odd=len, nested=[dict(type='nowhere.It')]))
    assert stored == dict(seed=3, odd=repr(len), nested=[dict(type='nowhere.It')])


def test_parts_of_other_packages(toy_parts):
    """If it fails, the refusal of a checkpoint cannot say which module it needs."""
    from incseg.apis import load_config

    meta = model_meta(Experiment(load_config(toy_parts.__file__.replace('_parts', ''))))
    known = dict(module='toy_parts', distribution=None, version=None)
    assert meta['imports'] == [dict(type='KeptBackbone', **known)]
    assert meta['config']['custom_imports']['imports'] == ['toy_parts']


def test_digests_tell_all_differences():
    """If it fails, weights of another name, dtype, shape or sign of zero pass for the same."""
    a = torch.tensor([0.0, 1.0])
    others = [
        dict(w=a.double()),
        dict(v=a),
        dict(w=a.view(2, 1)),
        dict(w=-a),
        dict(w=torch.tensor([-0.0, 1.0])),
        dict(w=a, v=a),
        {},
    ]
    digests = {tensors_digest(each) for each in [dict(w=a), *others]}
    assert len(digests) == 8
    assert tensors_digest(dict(x=a, y=a)) == tensors_digest(dict(y=a, x=a))
    half = torch.ones(3, dtype=torch.bfloat16)
    assert tensors_digest(dict(w=half)) != tensors_digest(dict(w=half.half()))
    plain = [None, 0, False, 0.0, '', b'', (), [], {}, [[]], [0, 0], '0', [None]]
    assert len({content_digest(each) for each in plain}) == len(plain)


def test_sealing_again_changes_nothing():
    """If it fails, a file that is stored among the shared base steps is another than the first."""
    once = sealed(dict(state_dict=dict(w=torch.ones(2)), meta=dict(step=1)), 'step')
    assert sealed(once, 'step') == once


def test_the_state_of_an_interrupted_step_is_sealed_too(tiny, tmp_path):
    """If it fails, a run is resumed from a damaged state in silence."""
    from incseg.engine.hooks import SafeCheckpointHook

    config = tiny(epochs=2)
    train_protocol(config, tmp_path / 'w', [0], reuse=False)
    saved = []
    original = SafeCheckpointHook.after_train_iter

    def keep(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if self.path.is_file() and not saved:
            saved.append(read_resume_checkpoint(self.path)['meta'])

    SafeCheckpointHook.after_train_iter = keep
    try:
        train_protocol(config, tmp_path / 'v', [0], reuse=False)
    finally:
        SafeCheckpointHook.after_train_iter = original
    assert saved[0]['kind'] == 'resume' and saved[0]['format'] == 1 and 'digest' in saved[0]
