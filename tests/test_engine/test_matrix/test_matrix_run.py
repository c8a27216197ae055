import sys
from pathlib import Path

import pytest

from incseg.apis.config.loading import parse_options
from incseg.engine import train_protocol
from incseg.engine.matrix.child_process import environment
from incseg.engine.matrix.plan import MatrixRun, as_text
from incseg.engine.work_dir import write_run_config
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import read_settings, row_settings

ROOT = Path(__file__).parents[3]


def path(method):
    return str(ROOT / f'configs/{method}/bisenet_r18_shapes_4-1.py')


@pytest.mark.parametrize(
    'value',
    [
        3,
        1.5,
        [10, 3],
        (120, 160),
        True,
        None,
        'disjoint',
        '/a/b c',
        'data/camvid',
        '6-1',
        'none',
        'True',
        "it's",
        '',
        '-1',
        '.5',
        'a=b',
        {'x': 1},
    ],
)
def test_options_survive_the_command_line(value):
    """What a file of runs says reaches train.py as the same value, of the same type."""
    read = parse_options([f'k={as_text(value)}'])['k']
    assert read == value and type(read) is type(value)
    assert as_text('disjoint') == 'disjoint', 'readable where it can be'


def test_work_dir_and_command(tiny, tmp_path):
    """A place of its own for every config, name and seed; the command resumes, always."""
    run = MatrixRun(path('ft'), {'epochs': 1}, tiny('ft', seed=3), tmp_path)
    assert run.work_dir == tmp_path / 'ft/bisenet_r18_shapes_4-1_seed3'
    assert run.command()[0] == sys.executable and run.command()[1].endswith('tools/train.py')
    assert run.command(reuse=False)[2:] == [
        path('ft'),
        '--work-dir',
        str(run.work_dir),
        '--seed',
        '3',
        '--resume',
        '--no-reuse',
        '--cfg-options',
        'epochs=1',
    ]
    assert run.command(processes=2)[0].endswith('tools/dist_train.sh')
    assert run.command(processes=2)[1:3] == [path('ft'), '2']
    assert run.printed_command().startswith('python ') and run.argument == str(run.work_dir)
    named = MatrixRun(path('ft'), {}, tiny('ft', seed=3), tmp_path, 'short')
    assert named.title == 'ft/bisenet_r18_shapes_4-1_short_seed3'
    assert named.argument == f'short={named.work_dir}'


def test_settings(tiny, tmp_path):
    """Seeds have the same settings, the very ones that are read beside the ledger."""
    first, second = (MatrixRun(path('ft'), {}, tiny('ft', seed=seed), tmp_path) for seed in (0, 1))
    assert first.settings == second.settings
    assert first.settings != MatrixRun(path('ft'), {}, tiny('ft', epochs=2), tmp_path).settings
    write_run_config(first.config, first.work_dir)
    assert row_settings(read_settings(first.work_dir)) == first.settings


def test_two_matrices_have_two_ports():
    """torchrun's default port is one for the machine; each run gets a free one, and this Python."""
    assert environment(2)['PYTHON'] == sys.executable
    assert 1024 < int(environment(2)['PORT']) < 65536


def test_done_partial_refused(tiny, tmp_path):
    """A run is done with all its steps, joint with one; another config is refused, by key."""
    joint = MatrixRun(path('joint'), {}, tiny('joint'), tmp_path)
    assert not joint.finished() and not joint.started()
    ledger = train_protocol(tiny('joint'), joint.work_dir, reuse=False)
    joint.check()
    assert joint.finished() and joint.started()
    final = ledger.to_dict()['final']
    assert joint.result('mib') == ', '.join(f'{key} {final[key]:.1f}' for key in final)
    mib = MatrixRun(path('mib'), {}, tiny('mib'), tmp_path)
    train_protocol(tiny('mib'), mib.work_dir, [0], reuse=False)
    assert mib.started() and not mib.finished()
    with pytest.raises(InvalidInputError, match='was started with epochs = 1, this config says 2'):
        MatrixRun(path('mib'), {}, tiny('mib', epochs=2), tmp_path).check()
    (mib.work_dir / 'config.json').unlink()
    other = MatrixRun(path('mib'), {}, tiny('mib', **{'protocol.name': '5-1'}), tmp_path)
    with pytest.raises(InvalidInputError, match='holds the ledger of another run: its protocol'):
        other.check()
