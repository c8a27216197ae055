"""What only a GPU can show: ``python -m pytest -m cuda`` (skipped, with the reason, elsewhere)."""

import json
import subprocess
import sys

import pytest
import torch
from mmengine.hooks import Hook

from incseg.engine import evaluate_checkpoint as run_test
from incseg.engine import train_protocol
from incseg.registry import HOOKS

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


@pytest.mark.parametrize('num_old', [0, 16])
def test_fused_losses_are_the_plain_ones(num_old):
    """The kernel's losses and gradients, and that no full-size tensor is made."""
    from incseg.models.losses.fused import fused_incremental_loss, fused_losses
    from incseg.models.losses.fused.incremental import plain_losses

    torch.manual_seed(0)
    logits = torch.randn(4, 21, 64, 64, device='cuda', requires_grad=True)
    teacher = torch.randn(4, 16, 64, 64, device='cuda')
    target = torch.randint(0, 21, (4, 512, 512), device='cuda', dtype=torch.uint8)
    target[0, :100] = 255
    loss = fused_incremental_loss(logits, teacher, target, num_old, 10.0)
    (grad,) = torch.autograd.grad(loss, logits)
    terms = plain_losses(logits, teacher, target, (512, 512), num_old, True, 255)
    plain = terms[0] + 10 * terms[1]
    (expected,) = torch.autograd.grad(plain, logits)
    assert loss.item() == pytest.approx(plain.item(), rel=1e-5)
    assert (grad - expected).abs().max() < 1e-5 * expected.abs().max()
    again = torch.autograd.grad(
        fused_incremental_loss(logits, teacher, target, num_old, 10.0), logits
    )[0]
    assert torch.equal(grad, again), 'it repeats, bit for bit'
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    sum(fused_losses(logits, teacher, target, num_old=num_old)).backward()
    full_size = 4 * 21 * 512 * 512 * 4
    assert torch.cuda.max_memory_allocated() - before < full_size / 2


@pytest.mark.parametrize(
    'channels, teacher, num_old, unbiased, low, full, dtype',
    [
        (40, 33, 33, True, (3, 5), (24, 40), torch.uint8),  # more channels than one block
        (1001, 751, 751, True, (2, 3), (16, 24), torch.int64),  # very many classes
        (21, 16, 1, False, (4, 4), (32, 32), torch.uint8),  # LwF
        (21, 16, 0, True, (5, 7), (33, 50), torch.uint8),  # sizes that do not divide
        (6, 4, 4, True, (1, 1), (9, 9), torch.uint8),  # one logit
        (6, 0, 4, True, (2, 3), (16, 24), torch.uint8),
    ],
)  # an auxiliary head
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_the_kernel_at_its_limits(channels, teacher, num_old, unbiased, low, full, dtype, layout):
    """What the interpreter shows on a CPU holds for the compiled kernel."""
    from incseg.models.losses.fused import fused_losses
    from incseg.models.losses.fused.incremental import plain_losses

    torch.manual_seed(channels)
    logits = (
        torch.randn(2, channels, *low, device='cuda')
        .contiguous(memory_format=layout)
        .requires_grad_()
    )
    known = torch.randn(2, teacher, *low, device='cuda') if teacher else None
    target = torch.randint(0, min(channels, 255), (2, *full), device='cuda').to(dtype)
    target[0, :2] = 255
    found = fused_losses(logits, known, target, num_old=num_old, unbiased=unbiased)
    expected = plain_losses(logits, known, target, full, num_old, unbiased, 255)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    grads = [torch.autograd.grad(sum(losses), logits)[0] for losses in (found, expected)]
    assert (grads[0] - grads[1]).abs().max() < 1e-5 * grads[1].abs().max()


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
    ]
    environment = dict(tool_environment, PYTHON=sys.executable, PORT=free_port)
    environment['CUDA_VISIBLE_DEVICES'] = ','.join(map(str, range(gpus)))
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
