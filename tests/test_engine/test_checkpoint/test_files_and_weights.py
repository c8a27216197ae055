import os
import pickle
import resource
import subprocess
import sys

import pytest
import torch
from torch import nn

from incseg.engine.checkpoint import (
    check_finite,
    check_protocol,
    load_weights,
    network_weights,
    plain,
    read_checkpoint,
    read_experiment_checkpoint,
    read_step_checkpoint,
    save_atomically,
)
from incseg.engine.recipe.experiment import Experiment
from incseg.errors import InvalidInputError, MissingFileError, NonFiniteLossError, SaveError


class Bomb:
    """A pickle that would run code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_round_trip(tmp_path):
    """What is saved is what is read, and no temporary file stays."""
    save_atomically(dict(a=torch.arange(3), b=[1, 'x', None]), tmp_path / 'new' / 'c.pth')
    content = read_checkpoint(tmp_path / 'new' / 'c.pth')
    assert torch.equal(content['a'], torch.arange(3)) and content['b'] == [1, 'x', None]
    assert os.listdir(tmp_path / 'new') == ['c.pth']


def test_weights_that_are_not_finite():
    """The first one and when; a training that went wrong is not saved as a result."""
    check_finite(dict(a=torch.ones(2), b=torch.arange(3)), 'now')
    with pytest.raises(
        NonFiniteLossError, match='^c is not finite at the end of step 3: lower the learning rate$'
    ):
        check_finite(
            dict(a=torch.ones(2), c=torch.tensor([1, float('inf')])), 'at the end of step 3'
        )


def test_missing(tmp_path):
    """The path that was looked for is named."""
    with pytest.raises(MissingFileError, match=r'no checkpoint at .*gone\.pth'):
        read_checkpoint(tmp_path / 'gone.pth')


def test_empty(tmp_path):
    """A file of no bytes, as a full disk leaves it."""
    (tmp_path / 'c.pth').touch()
    with pytest.raises(InvalidInputError, match=r'c\.pth is empty'):
        read_checkpoint(tmp_path / 'c.pth')


@pytest.mark.parametrize('share', [0.02, 0.5, 0.99])
def test_cut_short(tmp_path, share):
    """An interrupted copy is called damaged, wherever it was cut."""
    path = tmp_path / 'c.pth'
    save_atomically(dict(a=torch.zeros(10000)), path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InvalidInputError, match=r'c\.pth is damaged, cut short or no checkpoint'):
        read_checkpoint(path)


@pytest.mark.parametrize(
    'writer',
    [
        lambda content, path: torch.save(content, path),
        lambda content, path: path.write_bytes(pickle.dumps(content)),
    ],
    ids=['torch', 'pickle'],
)
def test_pickle_that_would_run_code(tmp_path, writer):
    """Loading a stranger's file must never run what it says."""
    writer(dict(state_dict=Bomb(tmp_path / 'harm')), tmp_path / 'c.pth')
    with pytest.raises(InvalidInputError, match='could run code, so it is refused'):
        read_checkpoint(tmp_path / 'c.pth')
    assert not (tmp_path / 'harm').exists()


def test_not_a_steps_checkpoint(tmp_path):
    """A torchvision weight file, or a Runner's own, is not a step's final.pth."""
    save_atomically([1, 2], tmp_path / 'list.pth')
    with pytest.raises(InvalidInputError, match='holds a list, not a dict'):
        read_checkpoint(tmp_path / 'list.pth')
    save_atomically(dict(state_dict={}, meta=dict(epoch=1)), tmp_path / 'other.pth')
    with pytest.raises(InvalidInputError, match='it lacks meta.incseg_version'):
        read_step_checkpoint(tmp_path / 'other.pth')


def test_full_disk_keeps_the_old_file(tmp_path):
    """The write fails half-way, for real (a limit on file size): the old checkpoint survives."""
    path = tmp_path / 'c.pth'
    save_atomically(dict(value=torch.ones(1)), path)
    code = (
        'import resource, signal, sys, torch\n'
        'from incseg.engine.checkpoint import save_atomically\n'
        'from incseg.errors import SaveError\n'
        'signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n'
        'resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))\n'
        'try:\n'
        '    save_atomically(dict(value=torch.zeros(1000000)), sys.argv[1])\n'
        'except SaveError as error:\n'
        '    print(error)\n'
    )
    assert hasattr(resource, 'RLIMIT_FSIZE')
    done = subprocess.run(
        [sys.executable, '-c', code, str(path)], capture_output=True, text=True, check=True
    )
    assert f'cannot save {path}' in done.stdout
    assert 'the file that stood there is intact' in done.stdout
    assert read_checkpoint(path)['value'] == 1
    assert os.listdir(tmp_path) == ['c.pth'], 'nothing half-written is left'


def test_save_where_a_file_stands_for_a_folder(tmp_path):
    """One line that names the path, not a traceback."""
    (tmp_path / 'a').touch()
    with pytest.raises(SaveError, match='cannot save .*c.pth'):
        save_atomically({}, tmp_path / 'a' / 'c.pth')


def test_protocol_differences_are_named():
    """Another data set, class order or setting gives other meanings to the same outputs."""
    ours = dict(
        name='1-1',
        dataset='toy',
        setting='overlap',
        steps=[[1], [2]],
        classes=['background', 'a', 'b'],
    )
    check_protocol(dict(protocol=dict(ours)), ours, 'c.pth')
    for key, value in dict(
        name='2-0',
        dataset='voc',
        setting='disjoint',
        steps=[[2], [1]],
        classes=['background', 'b', 'a'],
    ).items():
        with pytest.raises(InvalidInputError, match=f'c.pth is of another protocol: its {key} is'):
            check_protocol(dict(protocol={**ours, key: value}), ours, 'c.pth')


def test_weights_must_fit_exactly():
    """A silent partial load is the classic way to get numbers nobody can repeat."""
    state = nn.Linear(2, 3).state_dict()
    load_weights(nn.Linear(2, 3), state, 'c.pth')
    with pytest.raises(InvalidInputError, match='does not fit the network of the config: weight'):
        load_weights(nn.Linear(2, 4), state, 'c.pth')
    with pytest.raises(InvalidInputError, match='bias'):
        load_weights(nn.Linear(2, 3, bias=False), state, 'c.pth')
    with pytest.raises(InvalidInputError, match='bias'):
        load_weights(nn.Linear(2, 3), {'weight': state['weight']}, 'c.pth')


def test_classes_of_another_method(tiny, tmp_path):
    """Joint's step 0 knows all classes, MiB's only the base: never mixed up."""
    joint, mib = Experiment(tiny('joint')), Experiment(tiny('mib'))
    meta = dict(
        incseg_version='0',
        method='joint',
        protocol=joint.describe_protocol(),
        step=0,
        classes=joint.classes_at(0),
        palette=joint.palette,
    )
    save_atomically(dict(state_dict={}, meta=meta), tmp_path / 'c.pth')
    assert read_experiment_checkpoint(joint, tmp_path / 'c.pth')[1] == 0
    with pytest.raises(InvalidInputError, match='has 7 classes, the network of the config 5'):
        read_experiment_checkpoint(mib, tmp_path / 'c.pth')


def test_plain_types():
    """Nothing but built-in types and tensors, or weights_only would refuse our own files."""
    import numpy as np

    made = plain({'a': (np.float64(1.5), np.int64(2)), 'b': torch.ones(1, requires_grad=True)})
    assert made['a'] == [1.5, 2] and type(made['a'][0]) is float and type(made['a'][1]) is int
    assert not made['b'].requires_grad


def test_network_without_what_trains_beside_it():
    """If it fails, a step's file holds a labeller that no network of that step has."""
    model = torch.nn.Module()
    model.head, model.target_labeller = torch.nn.Linear(2, 1), torch.nn.Linear(3, 1)
    assert list(network_weights(model)) == ['head.weight', 'head.bias']


def test_a_file_of_something_else_is_named_by_its_first_gap(tmp_path):
    """If it fails, a file without any weights is blamed for a detail of its description."""
    torch.save({'meta': {}}, tmp_path / 'a.pth')
    with pytest.raises(InvalidInputError, match='lacks state_dict'):
        read_step_checkpoint(tmp_path / 'a.pth')


def test_a_failed_save_tells_the_systems_reason(tmp_path, monkeypatch):
    """If it fails, a full disk is told in torch's words for it."""

    def fail(*args, **kwargs):
        raise RuntimeError('enforce fail') from OSError(28, 'No space left on device')

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.raises(SaveError, match='No space left on device; nothing was left'):
        save_atomically({}, tmp_path / 'a.pth')


@pytest.mark.parametrize('known', [True, False])
def test_torchs_own_words_for_a_full_disk(known, tmp_path, monkeypatch):
    """If it fails, "enforce fail" is all that a user is told, wherever the system's error hides."""

    def fail(*args, **kwargs):
        try:
            try:
                raise (OSError(28, 'No space left on device') if known else KeyError)
            finally:
                raise ValueError('closing')
        except ValueError:
            raise RuntimeError('enforce fail at inline_container.cc:1') from None

    monkeypatch.setattr(torch, 'save', fail)
    told = 'No space left on device;' if known else r'inline_container.cc:1 \(is the disk full\?\);'
    with pytest.raises(SaveError, match=told):
        save_atomically({}, tmp_path / 'a.pth')
