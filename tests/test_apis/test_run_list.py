import json
from pathlib import Path

import pytest

from incseg.apis.run_list import plan_runs
from incseg.errors import InvalidInputError, MissingFileError
from tests.common.imported import imported_toy, know_toy

CONFIGS = Path(__file__).parents[2] / 'configs'
FT = str(CONFIGS / 'ft/bisenet_r18_shapes_4-1.py')
JOINT = str(CONFIGS / 'joint/bisenet_r18_shapes_4-1.py')


@pytest.fixture
def listed(tmp_path):
    """Write a file of runs; returns its path."""

    def write(*runs, text=None):
        path = tmp_path / 'runs.json'
        path.write_text(json.dumps({'runs': runs}) if text is None else text)
        return str(path)

    return write


def test_configs_by_seeds(tmp_path):
    """All configs with the first seed come first: a table can be made half-way."""
    runs = plan_runs([FT, JOINT], tmp_path, [4, 2], {'epochs': 3})
    assert [(run.experiment.method, run.experiment.seed) for run in runs] == [
        ('ft', 4),
        ('joint', 4),
        ('ft', 2),
        ('joint', 2),
    ]
    assert all(run.config.epochs == 3 and run.options == {'epochs': 3} for run in runs)
    [run] = plan_runs([FT], tmp_path)
    assert run.experiment.seed == 42, "the config's own"


def test_file_of_runs(tmp_path, listed):
    """Options and seeds of each run; the command line's go over the file's, config files mix in."""
    path = listed(
        dict(config=FT, options={'epochs': [2, 1], 'batch_size': 8}, seeds=[0, 1]),
        dict(config=JOINT, options={'epochs': 5}, name='long'),
    )
    runs = plan_runs([path], tmp_path)
    assert [(run.title, run.config.epochs) for run in runs] == [
        ('ft/bisenet_r18_shapes_4-1_seed0', [2, 1]),
        ('joint/bisenet_r18_shapes_4-1_long_seed42', 5),
        ('ft/bisenet_r18_shapes_4-1_seed1', [2, 1]),
    ]
    runs = plan_runs([path, FT], tmp_path, [7], {'epochs': 1})
    assert [(run.experiment.seed, run.config.epochs, run.config.batch_size) for run in runs] == [
        (7, 1, 8),
        (7, 1, 8),
        (7, 1, 8),
    ]


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (dict(options={}), r'runs\[0\] is .* expected an object with "config"'),
        ('x', r"runs\[0\] is 'x'"),
        (dict(config=FT, option={}), "unknown key 'option' of"),
        (dict(config=FT, seeds=3), r'runs\[0\].seeds is 3, expected a list of integers'),
        (dict(config=FT, seeds=[True]), r'seeds is \[True\]'),
        (dict(config=FT, name='a/b'), "name is 'a/b', expected letters"),
        (dict(config=FT, options={'seed': 1}), "say 'seeds'"),
        (dict(config=FT, options={'epohcs': 1}), "did you mean 'epochs'"),
    ],
)
def test_mistakes_in_a_file(tmp_path, listed, entry, message):
    """File, run and key are named before anything is trained."""
    with pytest.raises(InvalidInputError, match=message):
        plan_runs([listed(entry)], tmp_path)


def test_what_all_runs_share(tmp_path, listed):
    """If it fails, every run of a table repeats the options of the table, or loses its own."""
    text = dict(
        seeds=[0, 1],
        options={'epochs': 3, 'batch_size': 8},
        runs=[dict(config=FT, options={'epochs': 1}), dict(config=JOINT, seeds=[5])],
    )
    runs = plan_runs([listed(text=json.dumps(text))], tmp_path)
    assert [(run.experiment.method, run.experiment.seed, run.config.epochs) for run in runs] == [
        ('ft', 0, 1),
        ('joint', 5, 3),
        ('ft', 1, 1),
    ]
    assert all(run.config.batch_size == 8 for run in runs)


@pytest.mark.parametrize(
    ('common', 'message'),
    [
        (dict(option={}), "unknown key 'option' of .*runs.json.* did you mean 'options'"),
        (dict(options=[]), 'options is .*, expected an object of options'),
        (dict(seeds=['0']), 'seeds is .*, expected a list of integers'),
        (dict(name='x'), "unknown key 'name'"),
    ],
)
def test_mistakes_in_what_all_runs_share(tmp_path, listed, common, message):
    """The key is named before anything is trained."""
    with pytest.raises(InvalidInputError, match=message):
        plan_runs([listed(text=json.dumps({**common, 'runs': [dict(config=FT)]}))], tmp_path)


@pytest.mark.parametrize('text', ['[]', '{"runs": []}', '{"runs": 1}', '{"seeds": [1]}'])
def test_other_files(tmp_path, listed, text):
    """Some JSON is not a file of runs."""
    with pytest.raises(InvalidInputError, match=r'runs\.json is .*, expected \{"runs": '):
        plan_runs([listed(text=text)], tmp_path)
    with pytest.raises(InvalidInputError, match=r'runs\.json cannot be read'):
        plan_runs([listed(text=text[:-1])], tmp_path)


def test_missing_files(tmp_path):
    """A config or a file of runs that is not there."""
    with pytest.raises(MissingFileError, match=r'no file of runs at gone\.json'):
        plan_runs(['gone.json'], tmp_path)
    with pytest.raises(MissingFileError, match=r'no config at gone\.py'):
        plan_runs([FT, 'gone.py'], tmp_path)


def test_a_start(tmp_path, listed, monkeypatch):
    """If it fails, a file of runs cannot begin from an imported network."""
    know_toy(monkeypatch)
    start = str(imported_toy(tmp_path / 'toy'))
    [run] = plan_runs([listed(dict(config=FT, start=start))], tmp_path)
    command = run.command()
    assert command[command.index('--start') + 1] == start
    assert run.config.model.backbone.type == 'ToyBackbone', 'the network is that of the file'
    [plain] = plan_runs([listed(dict(config=FT))], tmp_path)
    assert '--start' not in plain.command()
