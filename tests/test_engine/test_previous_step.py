"""The previous step's checkpoint: read once, shared by all parts of a step, and let go."""

import gc
import weakref
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
import torch

from incseg.engine import Experiment, train_protocol
from incseg.engine.checkpoint import StepCheckpoint, read_step_checkpoint, save_atomically
from incseg.engine.checkpoint import step as checkpoints
from incseg.engine.hooks import MethodHook
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import HOOKS

META = dict(incseg_version='0.1', method='m', protocol={}, step=0, classes=[], palette=[])


@pytest.fixture
def reads(monkeypatch):
    """How often each file was read, by its last two parts."""
    counts = Counter()
    plain = checkpoints.read_checkpoint

    def read(path, *arguments):
        counts['/'.join(Path(path).parts[-2:])] += 1
        return plain(path, *arguments)

    monkeypatch.setattr(checkpoints, 'read_checkpoint', read)
    return counts


@pytest.mark.parametrize('method', ['ewc', 'rw', 'ewf', 'plop'])
def test_read_once_per_step(method, tiny, reads, tmp_path):
    """If it fails, a large network is read from a shared disk again by every hook of a step.

    Every step reads its own file once too: the saved network is evaluated.
    """
    train_protocol(tiny(method), tmp_path / 'w', reuse=False)
    assert reads == {'step_0/final.pth': 2, 'step_1/final.pth': 2, 'step_2/final.pth': 1}


@HOOKS.register_module(force=True)
class ReaderHook(MethodHook):
    """A hook as it was written for 0.1: it knows a path, and reads the file by itself."""

    told: list = []

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.start = dict(self.previous_state)

    def before_train(self, runner):
        content = read_step_checkpoint(self.previous)
        self.told.append((f'{self.previous}', Path(self.previous), content['meta']['step']))
        self.seen = self.previous_state.get('seen', 0) + 1
        assert self.start == self.previous_state
        self.weights = weakref.ref(next(iter(self.context.previous.state_dict.values())))

    def state(self):
        return dict(seen=self.seen)


def test_hooks_of_version_0_1(tiny, tmp_path, monkeypatch):
    """If it fails, hooks of other repositories break, or weights of earlier steps fill memory."""
    config = tiny('ewc')
    config.method['hooks']['reader'] = dict(type='ReaderHook')
    training, hooks = import_module('incseg.engine.train_protocol'), []
    evaluate = training.evaluate

    def evaluate_without_old_weights(*args, **kwargs):
        gc.collect()
        hooks.extend(h for h in gc.get_objects() if type(h) is ReaderHook)
        assert all(hook.weights() is None for hook in hooks)
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(training, 'evaluate', evaluate_without_old_weights)
    ReaderHook.told = []
    train_protocol(config, tmp_path / 'w', reuse=False)
    paths = [tmp_path / f'w/step_{k}/final.pth' for k in range(3)]
    assert ReaderHook.told == [(str(path), path, k) for k, path in enumerate(paths[:2])]
    states = [read_step_checkpoint(path).get('method_state', {}) for path in paths]
    assert [state.get('reader') for state in states] == [None, dict(seen=1), dict(seen=2)]


def test_stands_for_its_path(tmp_path):
    """If it fails, a message shows an object, or a file is read before its content is needed."""
    missing = StepCheckpoint(tmp_path / 'final.pth')
    assert f'{missing}' == str(tmp_path / 'final.pth') and Path(missing) == missing.path
    assert StepCheckpoint.of(missing) is missing
    with pytest.raises(MissingFileError, match='no checkpoint at'):
        _ = missing.meta


def test_content_and_digest(tmp_path):
    """If it fails, other weights pass for the same, or a step's facts go with its tensors."""
    digests = []
    for name, weights, method in (('a', 1.0, 'x'), ('b', 1.0, 'y'), ('c', 2.0, 'x')):
        state = dict(w=torch.full((2,), weights))
        content = dict(state_dict=state, meta=dict(META, method=method), method_state=dict(h=1))
        save_atomically(content, tmp_path / name)
        digests.append(StepCheckpoint(tmp_path / name).digest)
    assert digests[0] == digests[1] != digests[2]
    checkpoint = StepCheckpoint(tmp_path / 'a')
    assert checkpoint.method_state == dict(h=1) and checkpoint.digest == digests[0]
    assert checkpoint.state_dict['w'] is checkpoint.state_dict['w']
    (tmp_path / 'a').unlink()
    checkpoint.release()
    assert (checkpoint.meta['method'], checkpoint.digest) == ('x', digests[0])
    with pytest.raises(MissingFileError):
        _ = checkpoint.state_dict


@pytest.mark.parametrize('method, outputs', [('mib', [5, 1, 1]), ('joint', [7])])
def test_outputs_of_each_step(method, outputs, tiny, tmp_path):
    """If it fails, a figure or report builds a network with other outputs than were saved.

    Files of version 0.1 do not say how many outputs each step has.
    """
    experiment = Experiment(tiny(method))
    for k in range(experiment.num_steps):
        meta = dict(
            META, step=k, protocol=experiment.describe_protocol(), classes=experiment.classes_at(k)
        )
        for more in ({}, dict(outputs_per_step=outputs[: k + 1])):
            save_atomically(dict(state_dict={}, meta={**meta, **more}), tmp_path / 'final.pth')
            assert StepCheckpoint(tmp_path / 'final.pth').outputs_per_step == outputs[: k + 1]


def test_outputs_are_saved(tiny, tmp_path):
    """If it fails, readers of a checkpoint have to guess from the names of its weights."""
    train_protocol(tiny(), tmp_path / 'w', [0, 1], reuse=False)
    saved = read_step_checkpoint(tmp_path / 'w/step_1/final.pth')
    assert saved['meta']['outputs_per_step'] == [5, 1]


def test_previous_step_of_another_network(tiny, tmp_path):
    """If it fails, a network of another width is loaded in part."""
    train_protocol(tiny(bisenet=True), tmp_path / 'w', [0], reuse=False)
    other = tiny(bisenet=True, width='wide')
    (tmp_path / 'w/results.json').unlink()
    (tmp_path / 'w/config.json').unlink()
    with pytest.raises(InvalidInputError, match='does not fit the network'):
        train_protocol(other, tmp_path / 'w', [1])
