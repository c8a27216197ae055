"""A run that takes a network that exists as its step 0: ``--start``."""

import json
import shutil

import pytest
import torch

from incseg.apis.config.started import load_started_config
from incseg.engine import train_protocol
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.errors import InvalidInputError
from tests.common.imported import BASE, imported_toy, know_toy
from tests.conftest import CONFIGS, TINY

LEAF = CONFIGS / 'mib/bisenet_r18_shapes_4-1.py'


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    know_toy(monkeypatch)


@pytest.fixture
def begin(tmp_path):
    """Run a leaf from a network: ``begin(file)``; the leaf's own network is BiSeNet."""

    def run(file, leaf=LEAF, work_dir='run', steps=None, resume=False, **options):
        folder = tmp_path / work_dir
        options = {**TINY, 'base_steps_dir': str(tmp_path / 'base_steps'), **options}
        config = load_started_config(leaf, options, file, folder)
        return train_protocol(config, folder, steps, resume=resume, start=file)

    return run


def state(path):
    return read_step_checkpoint(path)['state_dict']


@pytest.mark.parametrize('background', [True, False])
def test_a_run_goes_on_from_an_imported_network(begin, tmp_path, background, capsys):
    """If it fails, a class cannot be added to a network that exists, or MiB's losses with an
    added background are not finite."""
    file = imported_toy(tmp_path, BASE[not background :], background)
    ledger = begin(file)
    told = [line for line in capsys.readouterr().out.splitlines() if 'until a step teaches' in line]
    assert len(told) == (not background) and all(line.startswith(str(file)) for line in told)
    first, second, last = json.loads((tmp_path / 'run/results.json').read_text())['steps']
    assert first['imported_from'] == str(file) and len(first['imported_digest']) == 64
    assert (first['seconds'], first['train_images']) == (0, None)
    assert list(first['iou']) == BASE and first['accuracy'] is not None
    assert 'imported_from' not in second and second['train_images'] > 0 < second['seconds']
    assert [entry['step'] for entry in ledger.steps] == [0, 1, 2]
    assert not (tmp_path / 'base_steps').exists(), 'an imported network is no base step'
    start, step_0, step_1 = (state(p) for p in (file, *finals(tmp_path / 'run', 2)))
    assert all(torch.equal(start[name], step_0[name]) for name in start)
    name = 'decode_head.classifier.steps.0.weight'
    assert step_1[name].isfinite().all() and not torch.equal(step_1[name], start[name])
    assert ledger.steps[2]['forgetting'] is not None


def finals(work_dir, count):
    return [work_dir / f'step_{k}/final.pth' for k in range(count)]


def test_step_1_is_that_of_today(begin, tiny, tmp_path):
    """If it fails, a network's step 1 depends on whether its step 0 was trained in the same run."""
    whole = train_protocol(tiny(), tmp_path / 'whole', [0, 1])
    begun = begin(tmp_path / 'whole/step_0/final.pth', steps=[0, 1])
    for a, b in zip(finals(tmp_path / 'whole', 2), finals(tmp_path / 'run', 2), strict=True):
        theirs, ours = state(a), state(b)
        assert theirs.keys() == ours.keys()
        assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    assert [e['iou'] for e in begun.steps] == [e['iou'] for e in whole.steps]
    assert begun.steps[0]['imported_from'].endswith('whole/step_0/final.pth')


def test_resumed(begin, tmp_path):
    """If it fails, a run cannot go on without its file, takes another one, or changes its end."""
    file = imported_toy(tmp_path / 'a')
    begin(file, work_dir='whole', steps=[0, 1])
    begin(file, steps=[0])
    with pytest.raises(InvalidInputError, match='began from another network, not from .*b/start'):
        begin(imported_toy(tmp_path / 'b', seed=1), resume=True)
    file.unlink()
    ledger = begin(None, steps=[0, 1], resume=True)
    assert ledger.steps[0]['imported_from'] == str(file)
    end, whole = (state(tmp_path / f'{name}/step_1/final.pth') for name in ('run', 'whole'))
    assert all(torch.equal(end[name], whole[name]) for name in end)


def test_cut_off_before_its_evaluation(begin, tmp_path):
    """If it fails, the network of a run that was killed at step 0 enters the shared base steps, or
    loses where it came from."""
    file = imported_toy(tmp_path)
    begin(file, steps=[0])
    for name in ('results.json', 'results.md', 'step_0/metrics.json'):
        (tmp_path / 'run' / name).unlink()
    ledger = begin(None, steps=[0], resume=True)
    assert ledger.steps[0]['imported_from'] == str(file)
    assert not (tmp_path / 'base_steps').exists()
    shutil.rmtree(tmp_path / 'run/step_0')
    with pytest.raises(InvalidInputError, match='was begun with --start, .*pass --start again'):
        begin(None, resume=True)


def test_a_trained_run_does_not_take_another_step_0(begin, tiny, tmp_path):
    """If it fails, a network is put into a run whose step 0 was trained."""
    train_protocol(tiny(), tmp_path / 'run', [0])
    with pytest.raises(InvalidInputError, match='trained its own step 0; pass another --work-dir'):
        begin(tmp_path / 'run/step_0/final.pth', resume=True)


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        (BASE[:4], 'background, disc, square, triangle; .*ring: it lacks ring'),
        ([*BASE[:4], 'pie'], 'it lacks ring: pie should not be there'),
        (
            ['background', 'square', 'disc', 'triangle', 'ring'],
            r'square, disc, .* has background, disc, square, .*another order; .*--order CONFIG, or '
            r"begin protocol.class_order with \['square', 'disc', 'triangle', 'ring'\]",
        ),
    ],
)
def test_other_classes(begin, tmp_path, classes, message):
    """If it fails, a network's outputs get the names of other classes."""
    with pytest.raises(InvalidInputError, match=message):
        begin(imported_toy(tmp_path, classes))
    assert not (tmp_path / 'run').exists() or not list((tmp_path / 'run').glob('*.json'))


def test_a_later_step(begin, tiny, tmp_path):
    train_protocol(tiny(), tmp_path / 'other', [0, 1], reuse=False)
    with pytest.raises(InvalidInputError, match='is the network of step 1, expected one of step 0'):
        begin(tmp_path / 'other/step_1/final.pth')


@pytest.mark.parametrize('method', ['ewc', 'rw', 'replay'])
def test_what_a_method_keeps_of_step_0_is_made_from_its_images(begin, tmp_path, method):
    """If it fails, a method goes on without what it holds of the old classes."""
    leaf = CONFIGS / method / 'bisenet_r18_shapes_4-1.py'
    ledger = begin(imported_toy(tmp_path), leaf, steps=[0, 1])
    assert ledger.steps[1]['mib']['all'] is not None
    if method == 'replay':
        memory = read_step_checkpoint(tmp_path / 'run/step_0/final.pth')['meta']['memory']
        assert memory and ledger.steps[1]['memory_images'] > 0


@pytest.mark.parametrize(
    ('method', 'message'),
    [
        ('pi', r'holds no state of method.hooks.\w+ \(PathIntegralHook\), .*expected a step 0'),
        ('joint', "the method 'joint' learns all classes in one step"),
    ],
)
def test_methods_that_cannot_go_on(begin, tmp_path, method, message):
    """If it fails, a method without what it needs of step 0 stops later, or trains on nothing."""
    with pytest.raises(InvalidInputError, match=message):
        begin(imported_toy(tmp_path), CONFIGS / method / 'bisenet_r18_shapes_4-1.py')
    assert not list((tmp_path / 'run').glob('*.json'))


def test_pi_goes_on_from_its_own_step_0(begin, tiny, tmp_path):
    train_protocol(tiny('pi'), tmp_path / 'other', [0])
    leaf = CONFIGS / 'pi/bisenet_r18_shapes_4-1.py'
    assert begin(tmp_path / 'other/step_0/final.pth', leaf, steps=[0, 1]).steps[1]['iou']


def test_the_images_of_step_0_need_not_be_there(begin, tmp_path, monkeypatch):
    """If it fails, adding a class needs pictures of the old ones."""
    from incseg.datasets.steps.incremental_dataset import IncrementalDataset

    made = []
    plain = IncrementalDataset.__init__

    def build(self, *arguments, **options):
        plain(self, *arguments, **options)
        made.append((self.step, self.mode))

    monkeypatch.setattr(IncrementalDataset, '__init__', build)
    begin(imported_toy(tmp_path), steps=[0, 1])
    assert (0, 'train') not in made and {(1, 'train'), (0, 'test')} <= {*made}
