"""Ledgers are found where the user names them, and refused where they are damaged."""

import shutil
from pathlib import Path

import pytest

from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.comparison.runs import RunResult, find_runs, is_ledger
from tests.conftest import edit_json

STEPS = [(80.0, 60.0), (50.0, 40.0, 30.0)]


def test_work_dir_file_and_folder(make_run, tmp_path):
    """A work dir, its ledger and the folder above name the same run, which counts once."""
    mib, ft = make_run('mib', 0, STEPS), make_run('ft', 0, STEPS)
    runs, without = find_runs([str(mib), str(mib / 'results.json'), str(tmp_path)])
    assert [run.path.parent for run in runs] == [mib, ft] and not without
    shutil.copy(mib / 'results.json', tmp_path / 'kept.json')
    [run], _ = find_runs([str(tmp_path / 'kept.json')])
    assert run.method == 'mib'


def test_a_run_without_a_ledger_yet(make_run, tmp_path):
    """A run that is in its first step is reported, not overlooked; stray files are not runs."""
    make_run('mib', 0, STEPS)
    (tmp_path / 'begun/step_0').mkdir(parents=True)
    (tmp_path / 'begun/config.json').write_text('{}')
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other/config.json').write_text('{}')
    runs, without = find_runs([str(tmp_path)])
    assert len(runs) == 1 and without == [str(tmp_path / 'begun')]


def test_named_rows(make_run, tmp_path):
    """NAME=PATH gives the row a name; a folder whose own name has a '=' is a path."""
    make_run('mib', 0, STEPS, folder='kd=10')
    [run], _ = find_runs([f'KD 10={tmp_path / "kd=10"}'])
    assert run.name == 'KD 10'
    [run], _ = find_runs([str(tmp_path / 'kd=10')])
    assert run.name is None
    with pytest.raises(InvalidInputError, match="named twice, in the rows 'A' and 'mib'"):
        find_runs([f'A={tmp_path}', str(tmp_path)])
    with pytest.raises(InvalidInputError, match='expected a path, or NAME=PATH'):
        find_runs(['A='])


def test_nothing_there(tmp_path):
    """A path that is missing and a folder without ledgers are two different mistakes."""
    with pytest.raises(MissingFileError, match='no work dir and no ledger at .*gone'):
        find_runs([str(tmp_path / 'gone')])
    (tmp_path / 'other.json').write_text('{"config": "a.py", "steps": []}')
    with pytest.raises(MissingFileError, match=r'no ledger \(results\.json, .* or below'):
        find_runs([str(tmp_path)])


def test_kept_ledgers_of_any_name(make_run, tmp_path):
    """Ledgers that were kept under names of their own are found in their folder, and they alone.

    If it fails, ``compare.py docs/results/shapes`` finds nothing, or a work dir's other files
    (a copy of its ledger, metrics, what test.py wrote) count as runs.
    """
    mib, ft = make_run('mib', 0, STEPS), make_run('ft', 0, STEPS)
    kept = tmp_path / 'kept/toy'
    kept.mkdir(parents=True)
    shutil.copy(mib / 'results.json', kept / 'mib_2-1.json')
    shutil.copy(ft / 'results.json', kept / 'ft_2-1.json')
    for name, text in (
        ('list.json', '[1]'),
        ('broken.json', '{'),
        ('nan.json', 'NaN'),
        ('config.json', '{"seed": 1}'),
        ('utf.json', b'\xff\xfe'.decode('latin1')),
    ):
        (kept / name).write_text(text)
    found, _ = find_runs([str(tmp_path / 'kept')])
    assert [run.path.name for run in found] == ['ft_2-1.json', 'mib_2-1.json']
    (mib / 'step_0').mkdir()
    shutil.copy(mib / 'results.json', mib / 'old.json')
    shutil.copy(mib / 'results.json', mib / 'step_0/metrics.json')
    found, _ = find_runs([str(tmp_path)])
    assert len(found) == 4 and not {'old.json', 'metrics.json'} & {run.path.name for run in found}


def test_a_kept_ledger_that_is_damaged(make_run, tmp_path):
    """If it fails, a ledger that was edited by hand is left out of the table in silence."""
    run = make_run('mib', 0, STEPS)
    text = (run / 'results.json').read_text().replace('"seed": 0', '"seed": "0"')
    (tmp_path / 'kept').mkdir()
    (tmp_path / 'kept/mib.json').write_text(text)
    with pytest.raises(InvalidInputError, match='mib.json is damaged or was edited'):
        find_runs([str(tmp_path / 'kept')])
    edit_json(tmp_path / 'kept/mib.json', lambda content: content.update(seed='0'))
    with pytest.raises(InvalidInputError, match="mib.json is not a ledger: seed is '0'"):
        find_runs([str(tmp_path / 'kept')])


REAL = Path(__file__).parents[3] / 'docs/results/camvid'


def test_numbers_of_each_convention(make_run):
    """Base and added leave the other's classes out; plop counts the background in base and all."""
    run = RunResult.read(make_run('mib', 3, [(80.0, 60.0), (50.0, 40.0, 30.0)]) / 'results.json')
    assert (run.method, run.seed, run.protocol[:3]) == ('mib', 3, ('toy', '2-1', 'overlap'))
    assert [run.final('mib', column) for column in ('base', 'added', 'all')] == [45.0, 30.0, 40.0]
    assert [run.final('plop', column) for column in ('base', 'added', 'all')] == [60.0, 30.0, 52.5]
    assert [run.final('wilson', column) for column in ('base', 'all')] == [45.0, 52.5]
    assert run.over_steps('mib') == [70.0, 40.0]


@pytest.mark.parametrize(
    'name, own',
    [
        ('results', None),
        ('mib_2-1', 'mib'),
        ('mib_2-1_seed3', 'mib'),
        ('kept', 'kept'),
        ('mib_kd50_2-1_seed4', 'mib_kd50_2-1_seed4'),
    ],
)
def test_own_name(make_run, name, own):
    """If it fails, seeds or protocols of one variant are rows of their own."""
    folder = make_run('mib', 3, [(80.0, 60.0)])
    (folder / 'results.json').rename(folder / f'{name}.json')
    assert RunResult.read(folder / f'{name}.json').own_name == own


def test_finished(make_run):
    """A run cut off after step 0 is not finished; joint training is after its one step."""
    partial = RunResult.read(make_run('mib', 0, [(80.0, 60.0)]) / 'results.json')
    joint = RunResult.read(make_run('joint', 0, [(80.0, 60.0, 50.0)]) / 'results.json')
    assert not partial.finished and partial.progress == '1 of 2 steps'
    assert joint.finished and joint.progress == '1 of 1 steps'
    for method in ('ft', 'joint'):
        assert RunResult.read(REAL / f'{method}_6-1_seed0.json').finished
    assert RunResult.read(REAL / 'joint_6-1_seed0.json').num_steps == 1


def test_a_later_step_alone_is_not_finished(make_run):
    """A ledger that lost step 0 still has the last step's numbers; it is no whole run."""
    path = make_run('mib', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)]) / 'results.json'
    edit_json(path, lambda content: content['steps'].pop(0))
    assert not RunResult.read(path).finished


def test_settings(make_run):
    """Seed, protocol and what does not shape results are no settings of a row."""
    folder = make_run('mib', 5, [(80.0, 60.0)], settings=dict(epochs=3, method=dict(name='mib')))
    assert RunResult.read(folder / 'results.json').settings == {'epochs': 3, 'method.name': 'mib'}
    assert RunResult.read(REAL / 'ft_6-1_seed0.json').settings is None


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c.update(seed='7'), "seed is '7', expected an integer"),
        (lambda c: c.update(seed=True), 'seed is True'),
        (lambda c: c.update(steps={}), 'steps is {}, expected a list'),
        (lambda c: c['protocol'].pop('classes'), 'protocol.classes is None'),
        (lambda c: c['protocol'].update(steps=[1]), 'an item of protocol.steps is 1'),
        (lambda c: c['steps'][1].pop('plop'), r'steps\[1\].plop is None, expected an object'),
        (
            lambda c: c['steps'][0]['mib'].update(all='70'),
            r"steps\[0\].mib.all is '70', expected a nu",
        ),
        (lambda c: c['steps'][0]['mib'].pop('all'), r'steps\[0\].mib.all'),
        (lambda c: c['steps'][0]['mib'].update(all=float('nan')), 'NaN is no number'),
        (lambda c: c['steps'][0]['mib'].update(all=1e999), 'Infinity is no number'),
    ],
)
def test_foreign_files(make_run, change, message):
    """What only looks like a ledger is refused by file and key, before it enters a mean."""
    path = make_run('mib', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)]) / 'results.json'
    edit_json(path, change)
    with pytest.raises(InvalidInputError, match=rf'results\.json is not a ledger: {message}'):
        RunResult.read(path)


@pytest.mark.parametrize('key', ['config', 'method'])
def test_texts_of_a_ledger_are_texts(make_run, key):
    """If it fails, a number in the place of a text ends in a traceback later."""
    path = make_run('ft', 0, [(80.0, 60.0)]) / 'results.json'
    edit_json(path, lambda content: content.update({key: 5}))
    with pytest.raises(InvalidInputError, match=f'{key} is 5'):
        RunResult.read(path)


def test_a_file_of_something_else_is_no_ledger(tmp_path):
    """If it fails, any JSON file in a folder becomes a row."""
    (tmp_path / 'a.json').write_text('{}')
    assert is_ledger(tmp_path / 'a.json') is False


def test_a_work_dir_is_one_run(make_run):
    """If it fails, a ledger that was copied inside a work dir counts as a second run."""
    folder = make_run('mib', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)])
    (folder / 'old').mkdir()
    (folder / 'old/results.json').write_text((folder / 'results.json').read_text())
    runs, without = find_runs([str(folder)])
    assert [run.path for run in runs] == [folder / 'results.json'] and not without
