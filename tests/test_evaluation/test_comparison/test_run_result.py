import json
from pathlib import Path

import pytest

from incseg.errors import InvalidInputError
from incseg.evaluation.comparison.runs import RunResult

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
    content = json.loads(path.read_text())
    del content['steps'][0]
    path.write_text(json.dumps(content))
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
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInputError, match=rf'results\.json is not a ledger: {message}'):
        RunResult.read(path)
