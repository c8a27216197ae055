"""Nothing that a run made is lost: steps, ledger entries, networks of steps."""

import json
import multiprocessing
import shutil
from pathlib import Path

import pytest
import torch

from incseg.engine import train_protocol
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation import Ledger
from incseg.utils.files import write_json
from incseg.utils.locks import DirLock
from tests.common.toys import TOY_NETWORK
from tests.conftest import CONFIGS, TINY


def files(folder):
    """Return the bytes of every network and record of a run, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.name in ('final.pth', 'metrics.json', 'results.json')
    }


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A finished run of three steps and its config, made once; do not write to it."""
    from incseg.apis import load_config

    config = load_config(CONFIGS / 'mib/bisenet_r18_shapes_4-1.py', {**TINY, **TOY_NETWORK})
    folder = tmp_path_factory.mktemp('finished') / 'run'
    train_protocol(config, folder, reuse=False)
    return config, folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the finished run, and how to go on with it: ``run.folder``, ``run.go(…)``."""
    config, folder = finished

    class Run:
        before = files(folder)
        config = finished[0]

        def __init__(self):
            self.folder = Path(shutil.copytree(folder, tmp_path / 'run'))

        def go(self, **options):
            return train_protocol(config, self.folder, reuse=False, **options)

        def drop_entry(self, k):
            ledger = Ledger.read(self.folder)
            ledger['steps'] = [entry for entry in ledger['steps'] if entry['step'] != k]
            write_json(self.folder / 'results.json', ledger)

    return Run()


@pytest.mark.parametrize('k', [0, 1, 2])
def test_a_network_that_is_missing(run, k):
    """If it fails, who deletes step 0's network to save room loses all later steps."""
    (run.folder / f'step_{k}/final.pth').unlink()
    left = files(run.folder)
    with pytest.raises(
        MissingFileError,
        match=rf'step_{k}/final.pth is missing, but .*: put the file back, or pass --redo-from {k}',
    ):
        run.go(resume=True)
    assert files(run.folder) == left


@pytest.mark.parametrize('k', [0, 1, 2])
def test_an_entry_that_is_missing(run, k):
    """If it fails, a ledger that lacks an entry loses the later ones.

    The step is evaluated again, not trained.
    """
    run.drop_entry(k)
    run.go(resume=True)
    assert files(run.folder) == run.before


def test_a_network_of_another_step(run):
    """If it fails, two networks that changed places are used for each other."""
    (run.folder / 'results.json').unlink()
    shutil.copy(run.folder / 'step_1/final.pth', run.folder / 'step_0/final.pth')
    with pytest.raises(InvalidInputError, match='step_0/final.pth is 1, expected 0'):
        run.go(resume=True)


def test_redo_verifies_before_it_removes(run):
    """If it fails, a good network is removed before a damaged one is found that it needs."""
    path = run.folder / 'step_1/final.pth'
    path.write_bytes(path.read_bytes()[:-99])
    left = files(run.folder)
    for options in (dict(redo_from=2), dict(resume=True)):
        with pytest.raises(InvalidInputError, match='step_1/final.pth is damaged'):
            run.go(**options)
        assert files(run.folder) == left


def test_a_finished_run_is_verified(run, tmp_path):
    """If it fails, --resume shows a table that the network in the folder does not have."""
    path = run.folder / 'step_2/final.pth'
    content = torch.load(path, weights_only=True)
    content['meta'] = {k: v for k, v in content['meta'].items() if k not in ('tensors', 'digest')}
    content['meta'].pop('format'), content['meta'].pop('kind')
    for value in content['state_dict'].values():
        value.add_(1)
    torch.save(content, path)
    with pytest.raises(InvalidInputError, match='step_2/final.pth is not the network whose numb'):
        run.go(resume=True)


def test_keep_of_a_finished_run(run):
    """If it fails, schedule.keep frees nothing where the run is finished."""
    run.config.schedule.keep = 'last'
    try:
        run.go(resume=True)
    finally:
        run.config.schedule.pop('keep')
    assert [(run.folder / f'step_{k}/final.pth').is_file() for k in range(3)] == [0, 0, 1]
    left = files(run.folder)
    with pytest.raises(MissingFileError, match='step_1/final.pth, which schedule.keep .* 0$'):
        run.go(redo_from=2)
    assert files(run.folder) == left
    run.go(redo_from=0)
    assert len(Ledger.read(run.folder)['steps']) == 3


def test_redo_of_nothing(tiny, tmp_path):
    """If it fails, a mistyped work dir trains from the start without a word."""
    with pytest.raises(MissingFileError, match='run holds no run, so --redo-from 1 has nothing'):
        train_protocol(tiny(), tmp_path / 'run', redo_from=1)
    assert not (tmp_path / 'run').exists()


def test_redo_from(run):
    """If it fails, the step is not trained anew, or an earlier one is touched."""
    (run.folder / 'step_1/final.pth').unlink()
    run.go(redo_from=1)
    after = files(run.folder)
    assert set(after) == set(run.before)
    assert after['step_0/final.pth'] == run.before['step_0/final.pth']
    entries = Ledger.read(run.folder)['steps']
    before = json.loads(run.before['results.json'])['steps']
    for now, then in zip(entries, before, strict=True):  # with the digests of the networks
        assert now | dict(seconds=0) == then | dict(seconds=0)


def test_redo_needs_the_step_before(run):
    """If it fails, step 2 is trained anew from nothing."""
    (run.folder / 'step_1/final.pth').unlink()
    left = files(run.folder)
    with pytest.raises(
        MissingFileError, match='step_1/final.pth, which is missing: nothing was .*--redo-from 1'
    ):
        run.go(redo_from=2)
    assert files(run.folder) == left
    with pytest.raises(InvalidInputError, match='--redo-from is 3, expected 0 to 2'):
        run.go(redo_from=3)


@pytest.mark.parametrize('lost', [[], ['results.json']])
@pytest.mark.parametrize('steps', [None, [0, 1], [1]])
def test_a_run_in_the_way(run, lost, steps):
    """If it fails, the same command without --resume overwrites networks that took days."""
    for name in lost:
        (run.folder / name).unlink()
    left = files(run.folder)
    with pytest.raises(InvalidInputError, match='already holds .*--resume'):
        run.go(steps=steps)
    assert files(run.folder) == left


def test_an_interrupted_run_in_the_way(run):
    """If it fails, a run before its first ledger is overwritten."""
    for k in (0, 1, 2):
        shutil.rmtree(run.folder / f'step_{k}')
    (run.folder / 'results.json').unlink()
    with pytest.raises(InvalidInputError, match='already holds config.json: pass --resume'):
        run.go()
    (run.folder / 'config.json').unlink()
    (run.folder / 'step_0').mkdir()
    (run.folder / 'step_0/resume.pth').touch()
    for steps in (None, [0]):
        with pytest.raises(InvalidInputError, match='already holds step_0/resume.pth'):
            run.go(steps=steps)
    with pytest.raises(InvalidInputError, match='has no config.json, so nothing tells'):
        run.go(resume=True)


def hold(folder, ready, end):
    with DirLock(folder):
        ready.set()
        end.wait(60)


def test_two_runs_in_one_work_dir(run, monkeypatch):
    """If it fails, two trainings write into one folder, and one result is lost.

    The lock of a process that was killed is taken over.
    """
    monkeypatch.setattr('incseg.utils.locks.PATIENCE', 0.2)
    context = multiprocessing.get_context('spawn')
    ready, end = context.Event(), context.Event()
    process = context.Process(target=hold, args=(run.folder, ready, end))
    process.start()
    assert ready.wait(60)
    with pytest.raises(InvalidInputError, match=f'in use by process {process.pid}'):
        run.go(resume=True)
    process.kill()
    process.join()
    run.go(resume=True)
    assert files(run.folder) == run.before


def test_leftovers_are_removed(run):
    """If it fails, each kill leaves a file of the network's size for ever."""
    from incseg.utils.files import host

    dead, alive = 2**22 + 1, 1
    gone = [f'step_1/.final.pth.{host()}.{dead}.0a1b2c3d.tmp', 'step_0/resume.pth']
    stay = [
        f'step_1/.final.pth.{host()}.{alive}.0a1b2c3d.tmp',
        f'.results.json.ffffffff.{dead}.0a1b2c3d.tmp',
        'mine.tmp',
    ]
    for name in gone + stay:
        (run.folder / name).touch()
    run.go(resume=True)
    assert [(run.folder / name).exists() for name in gone + stay] == [False] * 2 + [True] * 3


@pytest.mark.parametrize(
    ('keep', 'left'), [('all', [0, 1, 2]), ('last', [2]), (2, [1, 2]), (5, [0, 1, 2])]
)
def test_keep(tiny, tmp_path, keep, left):
    """If it fails, a long protocol fills the disk, or what was removed is missed on resume."""
    config = tiny(**{**TOY_NETWORK, 'schedule.keep': keep})
    ledger = train_protocol(config, tmp_path / 'run', reuse=False)
    there = [k for k in range(3) if (tmp_path / f'run/step_{k}/final.pth').is_file()]
    assert there == left
    assert [entry.get('kept', True) for entry in ledger.steps] == [k in left for k in range(3)]
    before = files(tmp_path / 'run')
    train_protocol(config, tmp_path / 'run', reuse=False, resume=True)
    assert files(tmp_path / 'run') == before
    if keep == 'last':
        with pytest.raises(MissingFileError, match='step_0/final.pth, which schedule.keep removed'):
            train_protocol(config, tmp_path / 'run', [1], reuse=False, resume=True)


@pytest.mark.parametrize('keep', [0, 'first', True, -1, 1.5])
def test_bad_keep(tiny, keep):
    """If it fails, a network is removed that the next step starts from."""
    with pytest.raises(InvalidInputError, match=f"schedule.keep is {keep!r}, expected 'all', 'l"):
        tiny(**{'schedule.keep': keep})
