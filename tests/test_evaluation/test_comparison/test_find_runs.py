import shutil

import pytest

from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.comparison.runs import find_runs

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
    with pytest.raises(InvalidInputError, match="mib.json is not a ledger: seed is '0'"):
        find_runs([str(tmp_path / 'kept')])
