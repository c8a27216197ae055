import subprocess
import sys

import pytest

from incseg.errors import MissingFileError
from incseg.utils.distributed import on_rank_zero

SCRIPT = """
import sys, torch
torch.set_num_threads(1)
import torch.distributed as dist
from incseg.datasets import IncrementalDataset, ShapesDataset
from incseg.errors import InvalidInputError
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
            out, err = process.communicate(timeout=90)
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
