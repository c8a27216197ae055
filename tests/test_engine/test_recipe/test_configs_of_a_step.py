"""Configs of a step: its network, its data, its Runner."""

import pytest
import torch
from mmengine.optim import PolyLR

from incseg.engine import Experiment
from incseg.engine.labels import step_labels
from incseg.engine.recipe.data import dataset_config, loader_config, pipeline
from incseg.engine.recipe.network import model_config, network_config
from incseg.engine.recipe.step import (
    config_for_step,
    config_for_test,
    lr_schedule,
    optimizer_config,
    optimizer_parts,
)
from incseg.engine.weak.seam_config import seam_runner_config
from incseg.errors import InvalidInputError


def test_step_config(tiny):
    """Iterations, learning rate, schedule and hooks of a step follow from what is said once."""
    experiment = Experiment(tiny(epochs=[3, 2], batch_size=8))
    config = config_for_step(experiment, 1, 20, 'w', previous='p.pth')
    assert config.train_cfg.max_iters == 4, '20 images: 2 whole batches, twice'
    assert config.optim_wrapper.optimizer.lr == experiment.config.schedule.lr.added
    assert config_for_step(experiment, 0, 20, 'w').optim_wrapper.optimizer.lr == (
        experiment.config.schedule.lr.base
    )
    hooks = {hook.type: hook for hook in config.custom_hooks}
    assert hooks['IncrementalHook'].previous == 'p.pth'
    assert 'IncrementalHook' not in {
        hook.type for hook in config_for_step(experiment, 0, 20, 'w').custom_hooks
    }
    assert config_for_step(experiment, 0, 5, 'w').train_cfg.max_iters == 3, 'one short batch each'
    names = {config_for_step(experiment, 0, 5, 'w').experiment_name for _ in range(3)}
    assert len(names) == 3, "mmengine's global instances go by this name"


def test_learning_rate_decays_by_the_poly_rule(tiny):
    """lr0 * (1 - it / max) ** 0.9 at every iteration; one that never moves is a known bug."""
    config = config_for_step(Experiment(tiny(epochs=5)), 0, 16, 'w')
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=2.0)
    spec = dict(config.param_scheduler[0])
    assert spec.pop('type') == 'PolyLR'
    scheduler = PolyLR(optimizer, **spec)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([2 * (1 - it / 10) ** 0.9 for it in range(10)])


def test_unknown_eval_mode(tiny):
    """The modes the data offer are listed."""
    config = tiny()
    config.eval_mode = 'cropped'
    with pytest.raises(InvalidInputError, match=r"'cropped', expected 'whole'"):
        config_for_test(Experiment(config), 0, 'w')


def test_batch_that_processes_cannot_share(tiny, monkeypatch):
    """batch_size is the total: 3 processes cannot share 8 images equally."""
    monkeypatch.setattr('incseg.engine.recipe.step.get_world_size', lambda: 3)
    with pytest.raises(InvalidInputError, match='batch_size is 8, expected a multiple of the 3'):
        config_for_step(Experiment(tiny()), 0, 20, 'w')


def test_warmup_is_for_added_steps(tiny_wilson):
    """If it fails, step 0 is another for a method with a warm-up, or the rate decays too early."""
    experiment = Experiment(tiny_wilson(epochs=[3, 4], warmup_epochs=1))
    assert lr_schedule(experiment, 0, 30)['type'] == 'PolyLR'
    held = lr_schedule(experiment, 1, 40)
    assert held.pop('type') == 'HeldPolyLR'
    assert held == dict(num_iters=40, power=0.9, hold=10, begin=0, end=41, by_epoch=False)
    assert optimizer_parts(experiment.config['schedule'], 0) == {}
    parts = optimizer_parts(experiment.config['schedule'], 1)
    assert parts['paramwise_cfg']['lr_factors']['target_labeller'] == 10


def test_model_grows_and_its_loss_changes(tiny):
    """Step 0 is ordinary cross-entropy for every method; later steps are the method's own."""
    experiment = Experiment(tiny('mib', bisenet=True))
    base, later = model_config(experiment, 0), model_config(experiment, 2)
    assert base['outputs_per_step'] == [5] and later['outputs_per_step'] == [5, 1, 1]
    for head in (base['decode_head'], *base['auxiliary_head'].values()):
        assert head['loss_decode']['type'] == 'CrossEntropyLoss'
    for head in (later['decode_head'], *later['auxiliary_head'].values()):
        assert head['loss_decode']['type'] == 'UnbiasedCrossEntropyLoss'
    assert 'distillation' not in base
    assert later['distillation']['logits']['type'] == 'UnbiasedLogitsDistillation'


def test_a_head_keeps_its_own_loss(tiny):
    """A loss named at a head wins over the method's."""
    config = tiny(
        'mib',
        bisenet=True,
        **{
            'model.auxiliary_head.aux_16.loss_decode': dict(
                type='CrossEntropyLoss', loss_weight=0.4
            )
        },
    )
    heads = model_config(Experiment(config), 1)['auxiliary_head']
    assert heads['aux_16']['loss_decode']['loss_weight'] == 0.4
    assert heads['aux_32']['loss_decode']['type'] == 'UnbiasedCrossEntropyLoss'


def test_pretrained_weights_for_the_base_step_alone(tiny):
    """Later steps, teachers and tests start from a checkpoint: no download for nothing."""
    experiment = Experiment(tiny(bisenet=True, pretrained=True))
    assert model_config(experiment, 0, init=True)['backbone']['pretrained'] is True
    assert model_config(experiment, 1, init=True)['backbone']['pretrained'] is False
    assert model_config(experiment, 0)['backbone']['pretrained'] is False


def test_network_alone(tiny):
    """If it fails, evaluation builds what only training has, and the saved weights do not fit."""
    experiment = Experiment(tiny('plop'))
    whole, alone = model_config(experiment, 1), network_config(experiment, 1)
    assert set(whole) - set(alone) == {'distillation', 'target_labeller'}
    assert all(whole[key] == value for key, value in alone.items())
    assert config_for_test(experiment, 1, 'w').model == alone


@pytest.mark.parametrize(
    'optimizer, fused',
    [
        (dict(type='SGD', momentum=0.9), True),
        (dict(type='AdamW'), True),
        (dict(type='SGD', fused=False), False),
        (dict(type='Rprop'), None),
        (dict(type='SGD', foreach=True), None),
    ],
)
def test_optimizer_in_one_pass(optimizer, fused):
    """If it fails, every parameter is updated by operations of its own, or torch refuses."""
    settings = optimizer_config(optimizer, 0.1)
    assert settings.get('fused') == fused and settings['lr'] == 0.1
    weight = torch.nn.Parameter(torch.ones(3))
    weight.grad = torch.ones(3)
    kind = getattr(torch.optim, settings.pop('type'))
    kind([weight], **settings).step()
    assert (weight < 1).all()


def test_every_training_logs_and_saves_alike(tiny, tiny_seam):
    """Steps and SEAM: at the intervals of the schedule, into the folder; mmengine's sampler off."""
    steps = Experiment(tiny(**{'schedule.log_interval': 7, 'schedule.checkpoint_interval': 9}))
    seam = Experiment(
        tiny_seam(**{'seam.schedule.log_interval': 7, 'seam.schedule.checkpoint_interval': 9})
    )
    expected = dict(
        sampler_seed=None,
        logger=dict(type='ProgressHook', interval=7),
        runtime_info=dict(type='LossLogHook', step=0, intervals=[7, 9], rate='schedule.lr.base'),
        checkpoint=dict(type='SafeCheckpointHook', path='w/resume.pth', interval=9),
    )
    assert config_for_step(steps, 0, 20, 'w').default_hooks.to_dict() == expected
    expected['runtime_info']['rate'] = 'seam.schedule.lr'
    assert seam_runner_config(seam, 0, 20, 3, 'w').default_hooks.to_dict() == expected


def test_pipeline_order():
    """Loading first, scaling next, the named ones in order without those set to None, packing."""
    steps = pipeline({'a': dict(type='A'), 'b': None, 'c': dict(type='C')}, 0.5, True)
    assert [step['type'] for step in steps] == [
        'LoadImage',
        'LoadLabels',
        'Resize',
        'A',
        'C',
        'PackSegInputs',
    ]
    assert steps[2] == dict(type='Resize', scale_factor=0.5, resize_labels=True)


def test_labels_keep_their_size_at_test(tiny):
    """IoU is counted at the label's own resolution, whatever the image's scale."""
    experiment = Experiment(tiny(image_scale=0.5))
    assert dataset_config(experiment, 1, 'test')['pipeline'][2]['resize_labels'] is False
    assert dataset_config(experiment, 1, 'train')['pipeline'][2]['resize_labels'] is True


def test_evaluation_as_published():
    """mib_crop512: short side to 512, the centre 512x512, labels moved along, as MiB's tables."""
    from pathlib import Path

    import numpy as np
    from mmengine.dataset import Compose

    from incseg.apis import load_config
    from incseg.registry import TRANSFORMS

    path = Path(__file__).parents[3] / 'configs/mib/bisenet_r101_15-1.py'
    experiment = Experiment(load_config(path, {'eval_mode': 'mib_crop512'}))
    steps = dataset_config(experiment, 0, 'test')['pipeline']
    labels = np.zeros((256, 300), np.uint8)
    labels[:, 150:] = 1
    image = np.repeat(labels[..., None] * 200, 3, 2)
    sample = Compose([TRANSFORMS.build(step) for step in steps])(dict(img=image, gt_seg_map=labels))
    truth = sample['data_samples'].gt_sem_seg.data[0]
    assert truth.shape == (512, 512) and sample['inputs'].shape == (3, 512, 512)
    assert sample['data_samples'].ori_shape == (512, 512)
    assert int((truth[:, :256] != 0).sum()) == 0 and bool((truth[:, 256:] == 1).all())
    whole = Experiment(load_config(path))
    assert [step['type'] for step in dataset_config(whole, 0, 'test')['pipeline']] == [
        'LoadImage',
        'LoadLabels',
        'PackSegInputs',
    ]


def test_image_labels_instead_of_masks(tiny_wilson):
    """If it fails, an added step loads masks, or evaluation and step 0 lack them."""
    experiment = Experiment(tiny_wilson())
    kinds = {
        (k, mode): ('LoadLabels' in [step['type'] for step in config['pipeline']], config['type'])
        for k in (0, 1)
        for mode in ('train', 'test')
        for config in [
            step_labels(experiment, k).dataset()
            if mode == 'train'
            else dataset_config(experiment, k, mode)
        ]
    }
    assert kinds == {
        (0, 'train'): (True, 'IncrementalDataset'),
        (0, 'test'): (True, 'IncrementalDataset'),
        (1, 'train'): (False, 'WeakDataset'),
        (1, 'test'): (True, 'IncrementalDataset'),
    }


@pytest.mark.parametrize(
    'gpu, wanted, pinned',
    [(True, True, True), (True, None, True), (True, False, False), (False, True, False)],
)
def test_pinned_memory(tiny, monkeypatch, gpu, wanted, pinned):
    """If it fails, batches wait for the GPU, or a machine without one is asked to pin."""
    monkeypatch.setattr('torch.cuda.is_available', lambda: gpu)
    config = tiny()
    config.schedule.pop('pin_memory', None)
    if wanted is not None:
        config.schedule['pin_memory'] = wanted
    assert loader_config(Experiment(config), dict())['pin_memory'] is pinned
