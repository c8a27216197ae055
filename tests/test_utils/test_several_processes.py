"""Groups of processes: start, end, and work that only the first process does."""

import json
import subprocess
import sys
import time

import pytest

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.distributed import init_launcher, on_rank_zero
from incseg.utils.files import is_running


def test_no_launcher_is_no_process_group():
    """One process needs no rendezvous, address or port."""
    init_launcher('none')


ENDS = """
import atexit, torch
from incseg.utils.distributed import end_launcher
end_launcher()
atexit.register(print, 'shut down')
torch.distributed.init_process_group('gloo')
print('work done')
end_launcher()
print('not reached')
"""


def test_end_of_a_group(tool_environment, free_port):
    """What was printed arrives, Python's shutdown and its threads are skipped; a process alone goes
    on."""
    done = subprocess.run(
        [sys.executable, '-c', ENDS],
        capture_output=True,
        text=True,
        timeout=400,
        env=dict(
            tool_environment,
            RANK='0',
            WORLD_SIZE='1',
            MASTER_ADDR='localhost',
            MASTER_PORT=free_port,
        ),
    )
    assert (done.returncode, done.stdout) == (0, 'work done\n'), done.stderr


def test_unknown_launcher():
    """The launchers are listed."""
    with pytest.raises(InvalidInputError, match="'torchrun', expected .*'pytorch'"):
        init_launcher('torchrun')


def test_launcher_without_its_environment(monkeypatch):
    """--launcher pytorch without torchrun says how to start, instead of a KeyError."""
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(InvalidInputError, match='torchrun --nproc_per_node N -m incseg'):
        init_launcher('pytorch')


WORKER = """
import os, sys, time
from incseg.utils.distributed import end_with_parent
end_with_parent(0.05)
print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_workers_end_with_their_launcher(tool_environment):
    """If it fails, the workers of a torchrun that was killed train on."""
    launcher = subprocess.Popen(
        [
            sys.executable,
            '-c',
            'import subprocess, sys; subprocess.run([sys.executable, "-c", sys.argv[1]])',
            WORKER,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=tool_environment,
    )
    worker = int(launcher.stdout.readline())
    launcher.kill()
    launcher.wait()
    end = time.monotonic() + 20
    while is_running(worker) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_running(worker)
    assert 'the launcher has ended' in launcher.stderr.read()


SAME_WEIGHTS = """
import torch
from mmengine.dist import all_gather
from mmengine.hooks import Hook
from incseg.registry import HOOKS


@HOOKS.register_module()
class SameWeights(Hook):
    def compare(self, runner):
        for name, value in runner.model.named_parameters():
            first, second = all_gather(value.data)
            assert torch.equal(first, second), name
        print('compared', flush=True)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.compare(runner)

    def after_train(self, runner):
        self.compare(runner)
"""
TINY = [
    '--cfg-options',
    'data.train.length=32',
    'data.test.length=7',
    'data.train.size=32',
    'data.test.size=32',
    'batch_size=8',
    'epochs=1',
    'protocol.name=5-1',
]


def test_two_processes(tool_environment, free_port, toy_leaf, tmp_path):
    """Two gloo processes: the same selection, and exactly the metrics that one process counts.

    7 test images over 2 processes: a padded duplicate would change the
    confusion matrix.  And both processes must hold the same weights.
    """
    root = tool_environment['PYTHONPATH']
    (tmp_path / 'same_weights.py').write_text(SAME_WEIGHTS)
    more = (
        "method = dict(classifier_init=dict(type='RandomInit'))\n"
        "custom_hooks = dict(same=dict(type='SameWeights'))\n"
    )
    config = toy_leaf('mib/bisenet_r18_shapes_4-1', more, ['same_weights'])
    environment = dict(
        tool_environment, PORT=free_port, PYTHON=sys.executable, PYTHONPATH=f'{root}:{tmp_path}'
    )

    def run(*command):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shown = run(
        f'{root}/tools/dist_train.sh', config, '2', '--work-dir', 'two', '--no-reuse', *TINY
    )
    assert shown.count('compared') >= 2 * (4 + 2 + 2), 'both processes, every iteration'
    ledger = json.loads((tmp_path / 'two/results.json').read_text())
    assert [step['train_images'] for step in ledger['steps']] == [32, 19]
    checkpoint = str(tmp_path / 'two/step_1/final.pth')
    run(sys.executable, f'{root}/tools/test.py', config, checkpoint, '--work-dir', 'one', *TINY)
    run(f'{root}/tools/dist_test.sh', config, checkpoint, '2', '--work-dir', 'both', *TINY)
    one = json.loads((tmp_path / 'one/test_step_1.json').read_text())
    both = json.loads((tmp_path / 'both/test_step_1.json').read_text())
    assert one == both
    for key in ('iou', 'accuracy', 'forgetting', 'mib'):
        assert one[key] == ledger['steps'][1][key]


SCRIPT = """
import sys, torch
torch.set_num_threads(1)
import torch.distributed as dist
from incseg.datasets import IncrementalDataset, ShapesDataset
from incseg.errors import InvalidInputError
from incseg.utils.distributed import end_launcher
rank = int(sys.argv[1])
dist.init_process_group('gloo', init_method='file://' + sys.argv[2], rank=rank, world_size=2)

class Mine(ShapesDataset):
    def _scan(self, *args):
        assert rank == 0, 'scanned by more than one process'
        if self.seed == 1:
            raise InvalidInputError('mask x.png is bad')
        if self.seed == 2:
            raise ZeroDivisionError('by zero')
        return super()._scan(*args)

protocol = dict(base=4, increment=1)
one = IncrementalDataset(Mine(length=40), protocol, 1, [])
print('indices', one.indices.tolist())
for seed in (1, 2):
    try:
        IncrementalDataset(Mine(length=40, seed=seed), protocol, 1, [])
    except Exception as error:
        print(type(error).__name__, error)
end_launcher()
"""


def test_two_processes_scan_once_and_fail_together(tmp_path):
    """Two gloo processes: both get rank 0's selection, and its error is raised in both instead
    of leaving one waiting for ever."""
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', SCRIPT, str(rank), str(tmp_path / 'f')],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = []
    try:
        for process in processes:
            out, err = process.communicate(timeout=400)
            assert process.returncode == 0, err
            outputs.append(out.splitlines())
    finally:
        for process in processes:
            process.kill()
    assert outputs[0] == outputs[1]
    assert outputs[0][0].startswith('indices [')
    assert outputs[0][1:] == ['InvalidInputError mask x.png is bad', 'ZeroDivisionError by zero']


def test_alone_it_is_a_plain_call():
    """Without a process group nothing is sent, and the error is the original one."""
    assert on_rank_zero(lambda value: value + 1, value=1) == 2
    error = MissingFileError('x')

    def fail():
        raise error

    with pytest.raises(MissingFileError) as caught:
        on_rank_zero(fail)
    assert caught.value is error
