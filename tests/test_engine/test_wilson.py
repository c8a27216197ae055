"""WILSON learns steps from image-level labels, resumes exactly, and has its published schedule."""

import subprocess
import sys

import pytest
import torch
from mmengine.hooks import Hook

from incseg.apis import init_model, load_config
from incseg.datasets import VOCDataset
from incseg.engine import Experiment, train_protocol
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.engine.evaluate import evaluate_checkpoint as evaluate_step
from incseg.engine.labels import step_labels
from incseg.engine.recipe.step import config_for_step
from incseg.registry import HOOKS
from tests.conftest import CONFIGS


class PowerCutError(Exception):
    """Stands for a power cut."""


@HOOKS.register_module(force=True)
class WilsonWatch(Hook):
    """Records the losses and rates of an added step; interrupts it after ``stop`` iterations."""

    stop = None
    seen: list = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.model.target_labeller is None:
            return
        WilsonWatch.seen.append(
            (
                dict(outputs),
                runner.model.target_labeller.epoch,
                [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups],
            )
        )
        if batch_idx + 1 == WilsonWatch.stop:
            raise PowerCutError


@pytest.fixture
def watched(tiny_wilson):
    config = tiny_wilson(**{'data.train.length': 48, 'epochs': [1, 2]})
    config.custom_hooks = dict(watch=dict(type='WilsonWatch'))
    WilsonWatch.stop, WilsonWatch.seen = None, []
    yield config
    WilsonWatch.stop = None


def weights(work_dir, k):
    return read_step_checkpoint(work_dir / f'step_{k}' / 'final.pth')['state_dict']


def test_a_whole_run_resumed(watched, tmp_path):
    """If it fails, the localiser is missing in the optimiser or in the state of an interrupted
    step, or is left in the saved network; or the schedule, the numbers of test.py or a run resumed
    after the switch differ."""
    ledger = train_protocol(watched, tmp_path / 'a', reuse=False)
    iters = len(WilsonWatch.seen)
    half = iters // 2
    for i, (losses, epoch, rates) in enumerate(WilsonWatch.seen):
        assert epoch == (i >= half)
        assert ('labeller.self.loss' in losses) is (i >= half)
        assert bool(losses['decode_head.loss'] > 0) is (i >= half)
        factor = (1 - i / iters) ** 0.9 if i >= half else 1
        assert rates == pytest.approx(
            [watched.schedule.lr.added * factor, 10 * watched.schedule.lr.added * factor]
        )
    saved = weights(tmp_path / 'a', 1)
    assert not any(name.startswith('target_labeller') for name in saved)
    entry = evaluate_step(watched, tmp_path / 'a/step_1/final.pth', tmp_path / 'test')
    assert entry['iou'] == ledger.steps[1]['iou']
    model = init_model(watched, tmp_path / 'a/step_1/final.pth', 'cpu')
    assert model.target_labeller is None
    assert len(model.dataset_meta['classes']) == 7

    WilsonWatch.stop = half + 1
    assert WilsonWatch.stop > 2, 'a checkpoint was written before'
    with pytest.raises(PowerCutError):
        train_protocol(watched, tmp_path / 'b', reuse=False)
    resume = torch.load(tmp_path / 'b/step_1/resume.pth', weights_only=True)
    assert any(name.startswith('target_labeller') for name in resume['state_dict'])
    WilsonWatch.stop = None
    resumed = train_protocol(watched, tmp_path / 'b', reuse=False, resume=True)
    again = weights(tmp_path / 'b', 1)
    assert again.keys() == saved.keys()
    assert all(torch.equal(again[name], saved[name]) for name in saved)
    assert resumed.steps[1]['iou'] == ledger.steps[1]['iou']


def test_base_step_is_lwf_mcs(tiny, tiny_wilson, tmp_path):
    """If it fails, step 0 is not that of binary cross-entropy, or is trained twice."""
    train_protocol(tiny('lwf_mc', epochs=2), tmp_path / 'lwf_mc', [0])
    ledger = train_protocol(tiny_wilson(), tmp_path / 'wilson', [0])
    assert 'reused_from' in ledger.steps[0]


def test_two_processes(tool_environment, free_port, toy_leaf, tmp_path):
    """If it fails, DDP waits for gradients before the switch, or processes drift apart."""
    root = tool_environment['PYTHONPATH']
    environment = dict(tool_environment, PORT=free_port, PYTHON=sys.executable)
    done = subprocess.run(
        [
            f'{root}/tools/dist_train.sh',
            toy_leaf('wilson/bisenet_r18_shapes_4-2'),
            '2',
            '--work-dir',
            'two',
            '--no-reuse',
            '--cfg-options',
            'data.train.length=32',
            'data.test.length=7',
            'data.train.size=32',
            'data.test.size=32',
            'batch_size=8',
            'epochs=2',
            'warmup_epochs=1',
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(value.isfinite().all() for value in weights(tmp_path / 'two', 1).values())


def test_published_schedule():
    """If it fails, the VOC configs do not train as WILSON's scripts do."""
    for name, images in (('15-5', 2145), ('10-10', 6876)):
        leaf = CONFIGS / f'wilson/bisenet_r101_{name}.py'
        config = load_config(leaf, {'pretrained': False})
        experiment = Experiment(config)
        base = config_for_step(experiment, 0, images, 'w')
        data = step_labels(experiment, 1).dataset()
        added = config_for_step(experiment, 1, images, 'w', previous='p.pth', dataset=data)
        epoch = images // 24
        assert (base.train_cfg.max_iters, added.train_cfg.max_iters) == (30 * epoch, 40 * epoch)
        assert base.param_scheduler[0].type == 'PolyLR' and 'constructor' not in base.optim_wrapper
        assert added.param_scheduler[0] == dict(
            type='HeldPolyLR',
            num_iters=40 * epoch,
            power=0.9,
            hold=5 * epoch,
            begin=0,
            end=40 * epoch + 1,
            by_epoch=False,
        )
        assert (base.optim_wrapper.optimizer.lr, added.optim_wrapper.optimizer.lr) == (0.01, 0.001)
        assert set(added.optim_wrapper.paramwise_cfg.lr_factors.values()) == {10.0}
        labeller = added.model.target_labeller
        assert (labeller.start_epoch, labeller.alpha, labeller.refine.type) == (5, 0.5, 'PAMR')
        assert added.model.distillation.encoder.loss_weight == 1
        assert added.train_dataloader.dataset.type == 'WeakDataset'
        assert 'LoadLabels' not in [t.type for t in added.train_dataloader.dataset.pipeline]


def test_published_coco_to_voc():
    """If it fails, the COCO-to-VOC config differs from coco.sh: 30 epochs for both steps, alpha
    0.9, crops of 448; 60 classes, then VOC's 20."""
    leaf = CONFIGS / 'wilson/bisenet_r101_coco-voc_60-20.py'
    config = load_config(leaf, {'pretrained': False})
    experiment = Experiment(config)
    assert [experiment.epochs(k) for k in (0, 1)] == [30, 30]
    assert (config.crop_size, config.batch_size, config.warmup_epochs) == (448, 24, 5)
    assert config.method.target_labeller.alpha == 0.9
    assert dict(config.schedule.lr) == dict(base=0.01, added=0.001)
    assert [len(step) for step in experiment.protocol.steps] == [60, 20]
    assert experiment.classes[61:] == list(VOCDataset.METAINFO['classes'][1:])
    assert config_for_step(experiment, 0, 23274, 'w').train_cfg.max_iters == 30 * (23274 // 24)
