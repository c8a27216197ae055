"""Replay: what is kept, that nothing is seen too early, and that a run goes on as it would have."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from incseg.datasets import IncrementalDataset, ShapesDataset
from incseg.engine import Experiment, train_protocol
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.engine.recipe.step import config_for_step
from incseg.engine.replay_memory import ReplayMemory
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from incseg.registry import HOOKS

LOAD = [dict(type='LoadImage'), dict(type='LoadLabels'), dict(type='PackSegInputs')]


class PowerCutError(Exception):
    """Stands for a power cut."""


@HOOKS.register_module()
class CutReplay(Hook):
    """Breaks off the last step after three iterations."""

    armed = False

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.armed and runner.model.decode_head.classifier.num_outputs == 7 and batch_idx == 2:
            raise PowerCutError


@HOOKS.register_module()
class ShownImages(Hook):
    """Keeps the ids of the images of every step's batches."""

    shown: dict = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        step = runner.model.decode_head.classifier.num_outputs - 5
        self.shown.setdefault(step, []).append(
            [(s.image_id, s.get('hidden') == ()) for s in data_batch['data_samples']]
        )


@pytest.fixture(scope='module')
def steps():
    """The three steps of 60 Shapes images."""
    source = ShapesDataset(length=60, size=32)
    return [IncrementalDataset(source, Protocol(6, 4, 1), k, LOAD) for k in range(3)]


def fill(memory, steps):
    kept = [[]]
    for step in steps:
        kept.append(memory.select(step, kept[-1]))
    return kept[1:]


def classes_of(step, ids):
    place = {name: i for i, name in enumerate(step.dataset.image_ids)}
    return step.dataset.presence()[[place[name] for name in ids]]


def test_images_of_a_start_stay(steps):
    """If it fails, a network that is taught loses what it kept, or keeps what nobody asked for."""
    memory = ReplayMemory(dict(size=7, since=1), 3)
    start = [dict(image=name, steps=[0]) for name in steps[0].image_ids[:4]]
    assert memory.select(steps[0], start) == memory.select(None, start) == start
    kept = memory.select(steps[1], start)
    assert kept[:4] == start and [entry['steps'] for entry in kept[4:]] == [[1]] * 3
    assert {entry['image'] for entry in kept[4:]} <= {*steps[1].image_ids} - {
        entry['image'] for entry in start
    }
    assert memory.select(steps[2], kept) == kept, 'the memory is full'


@pytest.mark.parametrize('strategy', ['random', 'class_balanced'])
@pytest.mark.parametrize('size', [0, 1, 12, 1000])
def test_growth(strategy, size, steps):
    """As many as fit, each once, none from the future, and each with all of its steps."""
    allowed: dict = {}
    for k, kept in enumerate(fill(ReplayMemory(dict(size=size, strategy=strategy), 3), steps)):
        for name in steps[k].image_ids:
            allowed.setdefault(name, []).append(k)
        names = [entry['image'] for entry in kept]
        assert len(names) == len(set(names)) == min(size, len(allowed))
        assert all(
            entry['steps'] == allowed[entry['image']] for entry in kept if size == 1000 or k == 0
        )
        assert all(set(entry['steps']) <= set(allowed[entry['image']]) for entry in kept)


def test_every_class_is_kept(steps):
    """12 images over 6 classes: two or more of each."""
    kept = fill(ReplayMemory(dict(size=12), 0), steps)
    shows = classes_of(steps[2], [entry['image'] for entry in kept[2]])
    assert shows[:, 1:].sum(0).min() >= 2
    shows = classes_of(steps[0], [entry['image'] for entry in kept[0]])
    assert shows[:, 1:5].sum(0).min() >= 3


@pytest.mark.parametrize('seed', range(4))
def test_every_class_is_kept_annotated(seed, steps):
    """With the labels of their own steps: 12 images, two or more that teach each of 6 classes.

    If it fails, an image counts for a class that it shows and does not teach;
    of a disjoint protocol's later images that is every old class.
    """
    steps = [
        IncrementalDataset(step.dataset, Protocol(6, 4, 1, 'disjoint'), k, LOAD)
        for k, step in enumerate(steps)
    ]
    kept = fill(ReplayMemory(dict(size=12, labels='own_step'), seed), steps)[2]
    shows = classes_of(steps[2], [entry['image'] for entry in kept])
    taught = np.zeros_like(shows)
    for row, entry in enumerate(kept):
        for k in entry['steps']:
            taught[row, list(steps[k].protocol.new(k))] = True
    assert (shows & taught)[:, 1:].sum(0).min() >= 2


def test_seed(steps):
    """The same seed keeps the same images, another one others."""
    first, same, other = (fill(ReplayMemory(dict(size=10), seed), steps) for seed in (1, 1, 2))
    assert first == same != other


def test_no_memory(steps):
    """Without method.memory, or with size 0, the step's own data set is handed on."""
    for options in (None, dict(size=0)):
        memory = ReplayMemory(options, 0)
        assert memory.select(steps[0], []) == []
        assert memory.join(steps[1], [dict(image='x', steps=[0])]) is steps[1]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(), 'no .method.memory.size'),
        (dict(size=-1), 'size is -1, expected'),
        (dict(size=2.5), 'size is 2.5, expected'),
        (dict(size=True), 'size is True, expected'),
        (
            dict(size=3, strategy='best'),
            "strategy is 'best', expected .*random.*class_balanced",
        ),
        (dict(size=3, labels='all'), "labels is 'all', expected .*seen.*own_step"),
        (dict(size=3, batch_share=1), 'batch_share is 1, expected a number between 0 and 1'),
        (dict(size=3, batch_share=0), 'batch_share is 0, expected'),
        (dict(size=3, sizes=3), "unknown key 'method.memory.sizes'.* did you mean"),
    ],
)
def test_bad_options(options, message):
    """One line that names the key, the value and what is allowed."""
    with pytest.raises(InvalidInputError, match=f'method.memory.{message}|{message}') as error:
        ReplayMemory(options, 0)
    assert '\n' not in str(error.value)


def test_share_of_a_batch():
    """Half of 24 is 12; a share that rounds to nothing, or to everything, is refused."""
    assert ReplayMemory(dict(size=9, batch_share=0.5), 0).exemplars_per_batch(24) == 12
    assert ReplayMemory(dict(size=9), 0).exemplars_per_batch(24) == 0
    for share, count in ((0.01, 0), (0.99, 8)):
        with pytest.raises(InvalidInputError, match=f'{share}, expected .* not {count}$'):
            ReplayMemory(dict(size=9, batch_share=share), 0).exemplars_per_batch(8)


def test_iterations(tiny):
    """40 own images and 16 exemplars in batches of 8: 7 batches, or 10 with half of each own."""
    config = config_for_step(
        Experiment(tiny('replay', **{'method.memory.batch_share': None})),
        1,
        40,
        'w',
        num_replayed=16,
        previous='p',
    )
    assert config.train_dataloader.batch_sampler.type == 'StepBatchSampler'
    assert config.train_cfg.max_iters == 7
    config = config_for_step(
        Experiment(tiny('replay')), 1, 40, 'w', num_replayed=16, memory_batch=4, previous='p'
    )
    assert config.train_dataloader.batch_sampler == dict(
        type='ReplayBatchSampler', total_batch_size=8, num_iters=10, seed=42, memory_batch=4
    )
    assert config.param_scheduler[0].end == 11
    config = config_for_step(Experiment(tiny('replay')), 1, 40, 'w', previous='p')
    assert config.train_dataloader.batch_sampler.type == 'StepBatchSampler', 'nothing was kept'


@pytest.mark.parametrize('share', [None, 0.5])
def test_a_whole_run(share, tiny, tmp_path):
    """Each step trains on its own images and on what was kept before it, and on no others."""
    config = tiny('replay', **{'method.memory.size': 6, 'method.memory.batch_share': share})
    config.custom_hooks = dict(shown=dict(type='ShownImages'))
    ShownImages.shown = {}
    train_protocol(config, tmp_path / 'run')
    entries = json.loads((tmp_path / 'run/results.json').read_text())['steps']
    source = ShapesDataset(length=32, size=32)
    steps = [IncrementalDataset(source, Protocol(6, 4, 1), k, LOAD) for k in range(3)]
    expected = fill(ReplayMemory(dict(size=6), 42), steps)
    for k in range(3):
        meta = read_step_checkpoint(tmp_path / f'run/step_{k}/final.pth')['meta']
        assert meta['memory'] == expected[k] and len(meta['memory']) == 6
        own = set(steps[k].image_ids)
        before = {entry['image'] for entry in expected[k - 1]} if k else set()
        assert entries[k]['train_images'] == len(own)
        assert entries[k]['memory_images'] == len(before - own)
        for batch in ShownImages.shown.get(k, []):
            assert {name for name, _ in batch} <= own | before
            assert all(marked == (name in before) for name, marked in batch)
    assert any(marked for batch in ShownImages.shown[1] for _, marked in batch)


def test_the_shared_base_step_keeps_no_one_elses_memory(tiny, tmp_path):
    """Stored by a run with a memory, reused by runs with another one, and with none."""
    train_protocol(tiny('replay', **{'method.memory.size': 6}), tmp_path / 'six', [0])
    for name, config in (
        ('four', tiny('replay', **{'method.memory.size': 4})),
        ('none', tiny('ft')),
    ):
        ledger = train_protocol(config, tmp_path / name, [0])
        assert 'reused_from' in ledger.steps[0], 'a memory does not change the base step'
    sizes = [
        len(read_step_checkpoint(tmp_path / name / 'step_0/final.pth')['meta']['memory'])
        for name in ('six', 'four', 'none')
    ]
    assert sizes == [6, 4, 0]


@pytest.mark.parametrize('method', ['replay', 'plop'])
def test_resumed_equals_uninterrupted(method, tiny, tmp_path, monkeypatch):
    """On top of any method: the same network, bit for bit, after an interruption."""
    config = tiny(
        method, epochs=2, **{'method.memory': dict(size=8, batch_share=0.5), 'protocol.name': '5-1'}
    )
    config.custom_hooks = dict(cut=dict(type='CutReplay'))
    train_protocol(config, tmp_path / 'whole')
    monkeypatch.setattr(CutReplay, 'armed', True)
    with pytest.raises(PowerCutError):
        train_protocol(config, tmp_path / 'cut')
    monkeypatch.setattr(CutReplay, 'armed', False)
    train_protocol(config, tmp_path / 'cut', resume=True)
    whole, cut = (
        read_step_checkpoint(tmp_path / name / 'step_1/final.pth') for name in ('whole', 'cut')
    )
    assert whole['meta']['memory'] == cut['meta']['memory']
    assert all(
        torch.equal(value, cut['state_dict'][name]) for name, value in whole['state_dict'].items()
    )


def test_memory_changes_what_is_learned(tiny, tmp_path):
    """Size 0 is fine-tuning bit for bit; a memory is not."""
    nets = []
    for method, size in (('ft', None), ('replay', 0), ('replay', 8)):
        options = (
            {}
            if size is None
            else {'method.memory.size': size, 'method.loss_decode.type': 'CrossEntropyLoss'}
        )
        train_protocol(tiny(method, **options), tmp_path / f'{method}_{size}', [0, 1])
        nets.append(
            read_step_checkpoint(tmp_path / f'{method}_{size}' / 'step_1/final.pth')['state_dict']
        )
    same = [all(torch.equal(nets[0][name], net[name]) for name in net) for net in nets[1:]]
    assert same == [True, False]


def test_selection_is_plain_data(steps):
    """What goes into a checkpoint loads without trusting it."""
    kept = fill(ReplayMemory(dict(size=5), 0), steps)[2]
    assert all(
        type(entry['image']) is str and all(type(k) is int for k in entry['steps'])
        for entry in kept
    )
    assert not any(isinstance(value, np.generic) for entry in kept for value in entry['steps'])


def test_two_processes(tool_environment, free_port, toy_leaf, tmp_path):
    """Both keep what one process would, and train on their shares of the same batches."""
    root = tool_environment['PYTHONPATH']
    options = [
        'data.train.length=16',
        'data.test.length=2',
        'data.train.size=32',
        'data.test.size=32',
        'batch_size=8',
        'epochs=1',
        'protocol.name=5-1',
        'method.memory.size=6',
    ]
    done = subprocess.run(
        [
            f'{root}/tools/dist_train.sh',
            toy_leaf('replay/bisenet_r18_shapes_4-1'),
            '2',
            '--work-dir',
            'two',
            '--no-reuse',
            '--cfg-options',
            *options,
        ],
        cwd=tmp_path,
        env=dict(tool_environment, PORT=free_port, PYTHON=sys.executable),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    source = ShapesDataset(length=16, size=32)
    steps = [IncrementalDataset(source, Protocol(6, 5, 1), k, LOAD) for k in range(2)]
    expected = fill(ReplayMemory(dict(size=6), 42), steps)
    for k in range(2):
        meta = read_step_checkpoint(tmp_path / f'two/step_{k}/final.pth')['meta']
        assert meta['memory'] == expected[k]
