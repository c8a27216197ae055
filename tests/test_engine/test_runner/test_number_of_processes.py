"""One process, two or four: the same networks, where the batch is shared."""

import subprocess
import sys

import pytest

from incseg.engine.checkpoint import read_step_checkpoint

OPTIONS = [
    '--no-reuse',
    '--cfg-options',
    'data.train.length=32',  # step 1 has more than a batch
    'data.test.length=2',
    'data.train.size=32',
    'data.test.size=32',
    'batch_size=8',
    'epochs=2',
    'protocol.name=5-1',
    'schedule.amp=False',
    'model.decode_head.dropout_ratio=0.4',
    'method.dropout=True',
]


@pytest.fixture
def run(tool_environment, toy_leaf, tmp_path):
    """Train a toy config in some processes; return what was printed and the networks' weights."""
    from socket import socket

    root, config = tool_environment['PYTHONPATH'], toy_leaf('mib/bisenet_r18_shapes_4-1')

    def train(processes, *more):
        with socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = str(probe.getsockname()[1])
        tool = [f'{root}/tools/dist_train.sh', config, str(processes)]
        if processes == 1:
            tool = [sys.executable, f'{root}/tools/train.py', config]
        work = tmp_path / f'{processes}'
        done = subprocess.run(
            [*tool, '--work-dir', str(work), *OPTIONS, *more],
            cwd=tmp_path,
            env=dict(tool_environment, PORT=port, PYTHON=sys.executable),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        states = [read_step_checkpoint(work / f'step_{k}/final.pth') for k in range(2)]
        return done.stdout, [state['state_dict'] for state in states]

    return train


def apart(one, other):
    """The largest difference of two steps' weights and statistics, relative to the largest."""
    return max(
        float((value - b[name]).abs().max() / value.abs().max().clamp(min=1e-3))
        for a, b in zip(one, other)
        for name, value in a.items()
        if value.is_floating_point()
    )


def test_a_shared_batch(run):
    """If it fails, statistics, dropout masks, losses or gradients are each process's own."""
    said, one = run(1)
    assert 'BatchNorm uses' not in said
    for processes in (2, 4):
        said, several = run(processes, 'schedule.sync_bn=True')
        assert 'BatchNorm uses' not in said
        assert apart(one, several) < 1e-4


def test_frozen_parts_in_a_shared_batch(run):
    """If it fails, DDP waits for what is frozen, or frozen and shared norms disturb each other."""
    frozen = "method.frozen=['norm_affine', 'old_classifiers']"
    (_, one), (_, two) = run(1, frozen), run(2, frozen, 'schedule.sync_bn=True')
    assert apart(one, two) < 1e-4
    held = [name for name in two[0] if name.endswith(('layers.0.1.weight', 'steps.0.weight'))]
    assert len(held) == 2 and all((two[0][name] == two[1][name]).all() for name in held)
    mean = 'backbone.layers.0.1.running_mean'
    assert (two[0][mean] != two[1][mean]).any()


def test_a_batch_of_each_process(run):
    """If it fails, nobody says why two processes do not give the numbers of one."""
    said, two = run(2)
    assert '2 processes: BatchNorm uses the batch of each' in said
    assert 'schedule.sync_bn=True' in said
