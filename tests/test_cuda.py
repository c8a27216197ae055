"""What only a GPU can show: ``python -m pytest -m cuda`` (skipped, with the reason, elsewhere)."""

import json
import subprocess
import sys

import pytest
import torch
from mmengine.hooks import Hook
from torch.utils._pytree import tree_leaves

from incseg.engine import evaluate_checkpoint as run_test
from incseg.engine import train_protocol
from incseg.registry import HOOKS
from tests.common.test_methods import BASES, saved, toy

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU'),
]


@HOOKS.register_module()
class NoteDevices(Hook):
    """Notes where student, teacher and losses live."""

    seen: list = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        teacher = runner.model.teacher
        self.seen.append(
            (
                next(runner.model.parameters()).device.type,
                teacher and next(teacher.parameters()).device.type,
                {value.dtype for value in outputs.values()},
            )
        )


def test_a_step_with_autocast(tiny, tmp_path):
    """Student, teacher and batch on the device, bfloat16 in the middle, float32 losses."""
    config = tiny(**{'protocol.name': '5-1', 'schedule.amp': True})
    config.custom_hooks = dict(note=dict(type='NoteDevices'))
    NoteDevices.seen.clear()
    ledger = train_protocol(config, tmp_path / 'run', reuse=False)
    assert NoteDevices.seen[0] == ('cuda', None, {torch.float32})
    assert NoteDevices.seen[-1] == ('cuda', 'cuda', {torch.float32})
    entry = run_test(config, tmp_path / 'run/step_1/final.pth', tmp_path / 'test')
    assert entry['iou'] == ledger.steps[1]['iou'], 'the saved network, the same numbers'


def test_sync_bn_in_one_process(tiny, tmp_path):
    """A SyncBN config runs in one process too."""
    config = tiny(norm_cfg=dict(type='SyncBN'), **{'protocol.name': '5-1'})
    assert len(train_protocol(config, tmp_path / 'run', reuse=False).steps) == 2


def test_losses_agree_with_the_cpu():
    """The same tensors give the same losses and gradients on both devices."""
    from incseg.models.losses.functional import unbiased_cross_entropy, unbiased_distillation

    torch.manual_seed(0)
    logits, teacher = torch.randn(2, 21, 64, 64), torch.randn(2, 16, 64, 64)
    target = torch.randint(0, 21, (2, 64, 64))
    results = []
    for device in ('cpu', 'cuda'):
        z = logits.to(device).requires_grad_()
        loss = unbiased_cross_entropy(z, target.to(device), 16)
        loss = loss + unbiased_distillation(z, teacher.to(device))
        loss.backward()
        results.append((loss.item(), z.grad.cpu()))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    assert torch.allclose(results[0][1], results[1][1], atol=1e-8)


def test_plop_agrees_with_the_cpu():
    """Weighted images, pooled strips and pseudo-labels: the device's way and the CPU's."""
    from incseg.models.labellers.uncertainty import entropy_maps
    from incseg.models.losses.functional import pooled_distillation
    from incseg.models.losses.fused import fused_losses

    torch.manual_seed(0)
    logits, teacher = torch.randn(2, 21, 32, 48), torch.randn(2, 20, 32, 48)
    target = torch.randint(0, 21, (2, 256, 384)).to(torch.uint8)
    weight = torch.tensor([0.25, 0.75])
    found = []
    for device in ('cpu', 'cuda'):
        x = logits.to(device).requires_grad_()
        known = teacher.to(device)
        losses = [
            fused_losses(x, None, target.to(device), image_weight=weight.to(device))[0],
            pooled_distillation([x], [known], 20, [1.0]),
        ]
        grads = [torch.autograd.grad(loss, x)[0].cpu() for loss in losses]
        maps = [(a.cpu(), b.cpu()) for a, b in entropy_maps(known, (256, 384))]
        found.append(([loss.cpu() for loss in losses], grads, maps))
    (losses, grads, maps), (others, other_grads, other_maps) = found
    torch.testing.assert_close(losses, others, rtol=1e-5, atol=0)
    for a, b in zip(grads, other_grads):
        assert (a - b).abs().max() < 1e-4 * a.abs().max()
    for (best, entropy), (other, unsure) in zip(maps, other_maps):
        assert (best != other).float().mean() < 1e-4
        torch.testing.assert_close(entropy, unsure, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_two_compiled_steps(tiny, tmp_path):
    """torch's own compiler takes the networks: a teacher in inference mode, bfloat16, channels-last
    maps, and a head that grows."""
    options = {'protocol.name': '5-1', 'schedule.compile': True, 'schedule.amp': True}
    config = tiny(**options, **{'model.channels_last': True})
    assert len(train_protocol(config, tmp_path / 'run', reuse=False).steps) == 2


@pytest.mark.parametrize('method', ['ewc', 'rw'])
def test_importances_on_the_device(method, tmp_path):
    """EWC and RW: what a step leaves for the next one is finite and not all zero."""
    config = toy(next(base for base in BASES if base.stem == method), tmp_path / 'base_steps')
    train_protocol(config, tmp_path / 'run', range(2), reuse=False)
    state = saved(tmp_path / 'run', 1)['method_state'][method]
    tensors = [x for x in tree_leaves(state) if isinstance(x, torch.Tensor)]
    assert tensors and all(x.isfinite().all() for x in tensors)
    assert any(x.any() for x in tensors)


@pytest.mark.parametrize('flat', [True, False])
def test_dense_crf_agrees_with_the_cpu(flat):
    """Sums over runs in pieces, of a flat sky too, give the CPU's labels."""
    from incseg.models import DenseCRF

    torch.manual_seed(0)
    image = torch.full((3, 120, 160), 200, dtype=torch.uint8)
    if not flat:
        image = torch.randint(0, 256, (3, 8, 10)).repeat_interleave(15, 1).repeat_interleave(16, 2)
        image = image.to(torch.uint8)
    scores = torch.randn(4, 120, 160).softmax(0)
    one, other = (DenseCRF().refine(image.to(d), scores.to(d)).cpu() for d in ('cpu', 'cuda'))
    assert (one.argmax(0) == other.argmax(0)).float().mean() > 0.999
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('gpus', [1, 2])
def test_two_processes(gpus, tool_environment, free_port, tmp_path):
    """SyncBN over two GPUs by NCCL, or on one by gloo; evaluation counts what one counts."""
    if torch.cuda.device_count() < gpus:
        pytest.skip('there are not two GPUs')
    root = tool_environment['PYTHONPATH']
    config = f'{root}/configs/mib/bisenet_r18_shapes_4-1.py'
    options = [
        '--cfg-options',
        'data.train.length=32',
        'data.test.length=7',
        'batch_size=8',
        'epochs=1',
        'protocol.name=5-1',
        "method.frozen=['old_classifiers']",
    ]
    environment = dict(tool_environment, PYTHON=sys.executable, PORT=free_port)
    seen = environment.get('CUDA_VISIBLE_DEVICES') or ','.join(map(str, range(gpus)))
    environment['CUDA_VISIBLE_DEVICES'] = ','.join(seen.split(',')[:gpus])  # also by their UUIDs
    subprocess.run(
        [f'{root}/tools/dist_train.sh', config, '2', '--work-dir', 'two', *options],
        cwd=tmp_path,
        env=environment,
        check=True,
        timeout=600,
    )
    subprocess.run(
        [
            sys.executable,
            f'{root}/tools/test.py',
            config,
            'two/step_1/final.pth',
            '--work-dir',
            'one',
            *options,
        ],
        cwd=tmp_path,
        env=environment,
        check=True,
        timeout=600,
    )
    ledger = json.loads((tmp_path / 'two/results.json').read_text())
    one = json.loads((tmp_path / 'one/test_step_1.json').read_text())
    assert one['iou'] == pytest.approx(ledger['steps'][1]['iou'])
