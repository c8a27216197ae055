"""Steps that are written out, each with its classes and images of its own, are trained."""

import json
import subprocess
import sys

import pytest
import torch

from incseg.engine import train_protocol
from incseg.engine.checkpoint import StepCheckpoint
from incseg.errors import InvalidInputError
from incseg.evaluation.comparison.runs import find_runs
from incseg.models.losses import UnbiasedCrossEntropyLoss
from incseg.registry import MODELS
from tests.common.painted_shapes import write_shapes_folder
from tests.conftest import ROOT, TINY

BASE = ['disc', 'square', 'triangle']


@pytest.fixture
def open_config(tiny, tmp_path):
    """Load a config with an open protocol: three classes of Shapes, then the steps that are
    named, each a folder of pictures; ``open_config(star={'star': 1}, method='mib')``."""

    def load(method='mib', options=None, **folders):
        steps = dict(base=dict(classes=BASE))
        for name, ids in folders.items():
            if not (tmp_path / name).exists():
                write_shapes_folder(tmp_path / name, ids, seed=len(name))
            train = dict(type='FolderDataset', data_root=str(tmp_path / name), ids=ids)
            steps[name] = dict(classes=[name], data=dict(train=train, test=0.2))
        return tiny(method, **{'protocol': dict(name='open', steps=steps), **(options or {})})

    return load


def weights(work_dir, k):
    return StepCheckpoint(work_dir / f'step_{k}/final.pth').state_dict


def test_the_same_steps_written_out(tiny, tmp_path):
    """If it fails, an open protocol trains other networks, or has other scores, than the closed
    one that learns the same classes."""
    names = ['disc', 'square', 'triangle', 'ring', 'cross', 'star']
    steps = dict(first=dict(classes=names[:3]), second=dict(classes=names[3:5]),
                 third=dict(classes=names[5:]))  # fmt: skip
    closed = train_protocol(tiny('mib', **{'protocol.name': '3-2'}), tmp_path / 'closed')
    config = tiny('mib', protocol=dict(name='open', steps=steps))
    opened = train_protocol(config, tmp_path / 'open', reuse=False)
    for k in range(3):
        ours, theirs = (weights(tmp_path / name, k) for name in ('open', 'closed'))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs), k
        for key in ('iou', 'accuracy', 'mib', 'train_images', 'forgetting'):
            assert opened.steps[k][key] == closed.steps[k][key], (k, key)
    again = train_protocol(config, tmp_path / 'shared', steps=[0])
    assert again.steps[0]['reused_from'], 'both share their base step'


def test_a_folder_of_one_new_class(open_config, tmp_path):
    """If it fails, nobody can teach a class that was not declared before step 0."""
    config = open_config(star={'star': 1})
    ledger = train_protocol(config, tmp_path / 'run')
    saved = StepCheckpoint(tmp_path / 'run/step_1/final.pth')
    assert saved.meta['classes'] == ['background', *BASE, 'star']
    assert saved.outputs_per_step == [4, 1] and saved.meta['protocol']['steps'] == [[1, 2, 3], [4]]
    entry = ledger.steps[1]
    assert entry['train_images'] == 25, 'all images of the folder but those held out'
    assert list(entry['iou']) == ['background', *BASE, 'star']
    assert entry['iou']['star'] is not None and entry['iou']['disc'] is not None
    assert entry['tests'] == dict(base=6, star=5) and ledger.steps[0]['tests'] == dict(base=6)
    assert list(entry['elsewhere']) == [*BASE, 'star'] and ledger.steps[0]['elsewhere'] is None
    told = json.loads((tmp_path / 'run/results.json').read_text())['protocol']
    assert told['homes'] == {**dict.fromkeys(['background', *BASE], 'base'), 'star': 'star'}
    first, second = told['sources']
    assert (second['name'], second['annotates']) == ('star', ['star']) and second['test']
    assert first['train'] != second['train'] and first['test'] != second['test']
    [run], _ = find_runs([str(tmp_path / 'run')])
    assert run.finished and run.protocol[:2] == ('shapes', 'open')


def test_a_closed_run_is_taught_one_class_more(tiny, open_config, tmp_path, capsys):
    """If it fails, the network of a finished run can never learn a class that it did not know."""
    train_protocol(tiny('mib', **{'protocol.name': '3-2'}), tmp_path / 'closed', steps=[0, 1])
    config = open_config(star={'star': 1})
    steps = config.protocol.steps
    more = dict(classes=['ring', 'cross'])
    config.protocol.steps = dict(base=steps['base'], more=more, star=steps['star'])
    start = tmp_path / 'closed/step_1/final.pth'
    ledger = train_protocol(config, tmp_path / 'run', start=start)
    assert [entry['step'] for entry in ledger.steps] == [1, 2]
    assert (ledger.steps[0]['train_images'], ledger.steps[0]['imported_from']) == (None, str(start))
    assert not (tmp_path / 'run/step_0').exists()
    ours, theirs = weights(tmp_path / 'run', 1), weights(tmp_path / 'closed', 1)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert StepCheckpoint(tmp_path / 'run/step_2/final.pth').outputs_per_step == [4, 2, 1]
    assert ledger.steps[1]['forgetting'] is not None
    before = weights(tmp_path / 'run', 2)
    again = train_protocol(config, tmp_path / 'run', redo_from=2)
    assert again.steps[1]['iou'] == ledger.steps[1]['iou'], 'a run goes on with its own start'
    assert all(
        torch.equal(value, before[name]) for name, value in weights(tmp_path / 'run', 2).items()
    )
    assert 'step 1 of 2: the network of' in capsys.readouterr().out


def test_a_folder_that_also_annotates_an_old_class(open_config, tmp_path, monkeypatch):
    """If it fails, the loss takes a disc in the folder for background, or a square in it for no
    square."""
    seen = set()
    real = UnbiasedCrossEntropyLoss.forward

    def watched(self, logits, target, *, hidden=None, **options):
        seen.add((hidden, *target.unique().tolist()[:2]))
        return real(self, logits, target, hidden=hidden, **options)

    monkeypatch.setattr(UnbiasedCrossEntropyLoss, 'forward', watched)
    ledger = train_protocol(open_config(star={'star': 1, 'disc': 2}), tmp_path / 'run')
    assert seen == {((2, 3), 0, 1)}, 'square and triangle are hidden, disc (1) is labelled'
    assert ledger.steps[1]['iou']['star'] is not None


def test_a_loss_that_does_not_understand_the_labels(open_config, tmp_path):
    """If it fails, the training of step 0 is lost, as step 1 ends in a traceback."""

    @MODELS.register_module(force=True)
    class LossWithoutHidden(torch.nn.Module):
        def forward(self, logits, target, *, num_old, ignore_index):
            return logits.mean()

    options = {'method.loss_decode': dict(type='LossWithoutHidden'), 'method.distillation': None}
    config = open_config(star={'star': 1, 'disc': 2}, options=options)
    with pytest.raises(InvalidInputError, match='step 1: its labels show the old classes disc'):
        train_protocol(config, tmp_path / 'run')
    assert not (tmp_path / 'run/step_0').exists()
    config.protocol.steps.star.old_labels = False
    train_protocol(config, tmp_path / 'run')


def test_the_command_line(toy_leaf, tmp_path, tool_environment):
    """If it fails, an open protocol can be written in a config, but tools/train.py or
    tools/test.py does not take it."""
    write_shapes_folder(tmp_path / 'stars', {'star': 1})
    train = "dict(type='FolderDataset', data_root='$star_root', ids=dict(star=1))"
    leaf = toy_leaf(
        'mib/bisenet_r18_shapes_4-1',
        f"star_root = '{tmp_path}/stars'\n"
        f'protocol = dict(_delete_=True, name="open", steps=dict(base=dict(classes={BASE}), '
        f"star=dict(classes=['star'], data=dict(train={train}, test=0.2))))\n",
    )
    small = [f'{key}={value}' for key, value in TINY.items()]

    def run(tool, *arguments):
        command = [sys.executable, str(ROOT / 'tools' / tool), leaf, *arguments]
        done = subprocess.run(
            [*command, '--work-dir', 'run', '--cfg-options', *small],
            cwd=tmp_path,
            env=tool_environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    told = run('train.py', '--no-reuse')
    assert 'images, new classes star' in told
    again = run('test.py', 'run/step_1/final.pth')
    table = again[again.index('IoU of each class') :].splitlines()
    assert [line.split('|')[3].strip() for line in table[4:9]] == [
        line.split('|')[4].strip()
        for line in told[told.rindex('IoU of each class') :].splitlines()[4:9]
    ]


def test_a_run_gets_one_step_more(open_config, tmp_path):
    """If it fails, who adds a step to a config trains all steps again."""
    train_protocol(open_config(), tmp_path / 'run')
    ledger = train_protocol(open_config(star={'star': 1}), tmp_path / 'run', resume=True)
    assert [entry['step'] for entry in ledger.steps] == [0, 1]
    with pytest.raises(InvalidInputError, match='was started with protocol.steps.cross'):
        train_protocol(open_config(cross={'cross': 1}), tmp_path / 'run', resume=True)


@pytest.mark.parametrize('out_of_reach', ['images', 'test'])
def test_images_out_of_reach(open_config, tmp_path, out_of_reach):
    """If it fails, a network whose old images are gone cannot learn a class, or gets scores of
    other images."""
    config = open_config(star={'star': 1})
    train_protocol(config, tmp_path / 'all', steps=[0])
    base = config.protocol.steps.base
    base.data = None if out_of_reach == 'images' else dict(train=config.data.train, test=None)
    start = tmp_path / 'all/step_0/final.pth'
    ledger = train_protocol(config, tmp_path / 'run', start=start)
    first, last = ledger.steps
    assert first['iou'] == dict.fromkeys(['background', *BASE]) and first['accuracy'] is None
    assert last['iou']['star'] is not None and last['iou']['disc'] is None
    assert last['mib']['base'] is None and last['forgetting'] is None
    assert list(last['elsewhere']) == [*BASE, 'star'] and last['elsewhere']['disc'] is not None
    assert ledger.header['protocol']['homes']['disc'] is None
    if out_of_reach == 'images':
        with pytest.raises(InvalidInputError, match='protocol.steps.base.data is None, expected'):
            train_protocol(config, tmp_path / 'other')
