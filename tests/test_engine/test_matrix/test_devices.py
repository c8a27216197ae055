"""What --devices names, and which variables a run on each device gets."""

import pytest
import torch

from incseg.cli.main import main
from incseg.engine.matrix.devices import Device, parse_devices
from incseg.errors import InvalidInputError


@pytest.fixture
def gpus(monkeypatch):
    """Pretend that this process sees some CUDA devices: ``gpus(4)``."""
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)

    def see(count):
        monkeypatch.setattr(torch.cuda, 'device_count', lambda: count)

    see(0)
    return see


def test_a_number_is_one_that_the_user_sees(gpus, monkeypatch):
    """If it fails, who was given GPUs 4 and 7 by the machine's scheduler trains on 0 and 1."""
    gpus(2)
    first, second = parse_devices('1, 0')
    assert (first.name, first.variables({})) == ('device 1', {'CUDA_VISIBLE_DEVICES': '1'})
    assert (second.name, second.kind) == ('device 0', 'cuda')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,7')
    assert [device.cuda for device in parse_devices('0,1')] == ['4', '7']


def test_runs_on_cpus_share_the_cores(gpus, monkeypatch):
    """If it fails, two runs on CPUs have two threads for each core, or one takes the GPU."""
    monkeypatch.setattr('os.sched_getaffinity', lambda _: set(range(8)))
    devices = parse_devices('cpu,cpu')
    assert [device.name for device in devices] == ['cpu 1', 'cpu 2']
    assert devices[0].variables({}) == {'CUDA_VISIBLE_DEVICES': '', 'OMP_NUM_THREADS': '4'}
    assert devices[0].variables({'OMP_NUM_THREADS': '2'}) == {'CUDA_VISIBLE_DEVICES': ''}
    assert parse_devices('cpu') == [Device('cpu', '')] and Device().variables({}) == {}


@pytest.mark.parametrize(
    ('text', 'count', 'why'),
    [
        ('', 4, 'a name is empty'),
        ('0,,1', 4, 'a name is empty'),
        ('0,1,0', 4, '0 is there twice'),
        ('gpu', 4, "'gpu' is none, did you mean 'cpu'?"),
        ('cuda:0', 4, "'cuda:0' is none"),
        ('-1', 4, "'-1' is none"),
        ('0-3', 4, "'0-3' is none"),
        ('4', 4, 'this process sees 4 CUDA devices, 0 to 3'),
        ('1', 1, 'this process sees one CUDA device, 0'),
        ('cpu,0', 0, 'this process sees no CUDA device'),
    ],
)
def test_refused(gpus, text, count, why):
    """If it fails, a run is trained twice, nowhere, or on another device than was meant."""
    gpus(count)
    with pytest.raises(InvalidInputError) as refused:
        parse_devices(text)
    message = str(refused.value)
    assert message.startswith(f'--devices is {text!r}, expected numbers of CUDA devices')
    assert message.endswith(f': {why}') and '\n' not in message


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--devices', 'cpu,gpu'], "error: --devices is 'cpu,gpu', expected numbers of CUDA dev"),
        (
            ['--devices', 'cpu', '--launcher', 'pytorch', '--nproc', '2'],
            "error: --devices is 'cpu' and --nproc is 2, expected one of them: with --devices a",
        ),
        (['--hours', '3'], 'error: --hours is an option of a cluster: add --engine slurm'),
    ],
)
def test_the_command_refuses_in_one_line(gpus, arguments, message, monkeypatch, tmp_path):
    """If it fails, a mistake is found after the configs of all runs are read, or is a traceback."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(['matrix', 'no_such_config.py', *arguments])
    assert str(stopped.value).startswith(message) and '\n' not in str(stopped.value)
