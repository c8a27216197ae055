"""What works in an open protocol: methods, and images of several sources that are replayed."""

import pytest
import torch

from incseg.apis import load_config
from incseg.engine import train_protocol
from incseg.engine.checkpoint import StepCheckpoint
from incseg.engine.labels import all_labels
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.replay_memory import ReplayMemory
from incseg.engine.step_datasets import step_datasets
from incseg.errors import InvalidInputError
from tests.common.painted_shapes import write_shapes_folder
from tests.common.toys import TOY_NETWORK
from tests.conftest import CONFIGS, TINY

BASE = ['disc', 'square', 'triangle']


@pytest.fixture
def open_config(tmp_path):
    """Load a method's leaf with three classes of Shapes, then one that a folder annotates."""

    def load(method, ids=None, **options):
        ids = ids or {'star': 1}
        write_shapes_folder(tmp_path / 'star', ids)
        train = dict(type='FolderDataset', data_root=str(tmp_path / 'star'), ids=ids)
        steps = dict(
            base=dict(classes=BASE),
            star=dict(classes=['star'], data=dict(train=train, test=0.2)),
        )
        return load_config(
            CONFIGS / method / 'bisenet_r18_shapes_4-1.py',
            {
                **TINY,
                **TOY_NETWORK,
                'base_steps_dir': str(tmp_path / 'base_steps'),
                'protocol': dict(name='open', steps=steps),
                **options,
            },
        )

    return load


@pytest.mark.parametrize('method', ['ft', 'lwf', 'ewf', 'plop', 'ewc'])
def test_methods(open_config, tmp_path, method):
    """If it fails, a method of the table cannot learn a class from a folder that annotates the
    new class and an old one."""
    config = open_config(method, {'star': 1, 'disc': 2})
    ledger = train_protocol(config, tmp_path / 'run')
    assert [entry['step'] for entry in ledger.steps] == [0, 1]
    saved = StepCheckpoint(tmp_path / 'run/step_1/final.pth')
    assert saved.outputs_per_step == [4, 1]
    assert all(value.isfinite().all() for value in saved.state_dict.values())


def test_joint_is_refused(open_config):
    """If it fails, joint training learns from images in which a class is not annotated."""
    with pytest.raises(InvalidInputError, match='method.joint is True'):
        open_config('joint')


def test_a_state_that_the_start_lacks(open_config, tmp_path):
    """If it fails, EWC goes on from a later step as if nothing before mattered."""
    train_protocol(open_config('mib'), tmp_path / 'mib')
    config = open_config('pi')
    with pytest.raises(InvalidInputError, match='holds no state of method.hooks.pi'):
        train_protocol(config, tmp_path / 'run', start=tmp_path / 'mib/step_0/final.pth')
    assert not (tmp_path / 'run/step_0').exists()


@pytest.fixture
def steps(open_config):
    """The data sets of both steps, and the experiment."""
    experiment = Experiment(open_config('replay', **{'data.train.length': 20}))
    return experiment, step_datasets(experiment, all_labels(experiment), [0, 1])


def test_exemplars_of_another_source(steps):
    """Worked example: a disc of Shapes keeps its label when a folder of stars is learned; its
    background may show a star, that of the folder every old class.  If it fails, the new class
    is punished in every exemplar."""
    experiment, (first, second) = steps[0], steps[1].values()
    memory = ReplayMemory(dict(size=6), 0, experiment.sources)
    kept = memory.select(first, [])
    joined = memory.join(second, kept)
    assert len(joined) == len(second) + 6 and joined.num_step_images == len(second)
    assert joined.image_ids[-6:] == [entry['image'] for entry in kept]
    own = joined[(0, 5)]['data_samples']
    assert own.hidden == (1, 2, 3) and {*own.gt_sem_seg.data.unique().tolist()} <= {0, 4, 255}
    seen = set()
    for i in range(6):
        sample = joined[(len(second) + i, 7)]['data_samples']
        assert sample.hidden == () or sample.hidden == (4,), sample.hidden
        seen |= {*sample.gt_sem_seg.data.unique().tolist()}
    assert seen - {255} <= {0, 1, 2, 3, 4} and {1, 2, 3} & seen


def test_the_memory_after_a_folder(steps):
    """If it fails, the memory forgets one of the sources, or an image's steps."""
    experiment, (first, second) = steps[0], steps[1].values()
    memory = ReplayMemory(dict(size=10), 0, experiment.sources)
    kept = memory.select(second, memory.select(first, []))
    by_step = {k: [entry for entry in kept if entry['steps'] == [k]] for k in (0, 1)}
    assert len(kept) == 10 and len(by_step[0]) + len(by_step[1]) == 10
    assert by_step[0] and by_step[1], 'images of both sources are kept'
    assert {entry['image'] for entry in by_step[0]} <= {*first.dataset.image_ids}
    assert {entry['image'] for entry in by_step[1]} <= {*second.dataset.image_ids}
    everything = ReplayMemory(dict(size=99, strategy='random'), 0, experiment.sources)
    assert len(everything.select(second, everything.select(first, []))) == len(first) + len(second)


def test_replay_of_written_out_steps(tmp_path, open_config):
    """If it fails, a memory changes other numbers when a protocol's steps are written out."""
    names = ['disc', 'square', 'triangle', 'ring', 'cross', 'star']
    plain = dict(name='open', steps=dict(a=dict(classes=names[:3]), b=dict(classes=names[3:])))
    options = {'method.memory.size': 8}
    load_config_of = lambda protocol: load_config(  # noqa: E731
        CONFIGS / 'replay/bisenet_r18_shapes_4-1.py',
        {**TINY, **TOY_NETWORK, 'base_steps_dir': str(tmp_path / 'b'), **options, **protocol},
    )
    train_protocol(load_config_of({'protocol.name': '3-3'}), tmp_path / 'closed')
    train_protocol(load_config_of({'protocol': plain}), tmp_path / 'open')
    ours, theirs = (
        StepCheckpoint(tmp_path / name / 'step_1/final.pth') for name in ('open', 'closed')
    )
    assert ours.meta['memory'] == theirs.meta['memory']
    weights = theirs.state_dict
    assert all(torch.equal(ours.state_dict[name], weights[name]) for name in weights)


def test_replay_of_a_folder_is_trained(open_config, tmp_path):
    """If it fails, a memory of several sources stops the training of the last step."""
    ledger = train_protocol(open_config('replay', **{'method.memory.size': 8}), tmp_path / 'run')
    assert ledger.steps[1]['memory_images'] == 8
