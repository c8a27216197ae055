"""Configs of the library are found by name, from anywhere."""

import pytest

from incseg.apis import load_config
from incseg.apis.run_list import plan_runs
from incseg.errors import MissingFileError
from incseg.utils.library_configs import config_names, find_config
from incseg.utils.repository import library_files

NAME = 'mib/bisenet_r18_shapes_4-1'
FILE = library_files() / 'configs' / f'{NAME}.py'


@pytest.mark.parametrize('name', [NAME, f'{NAME}.py', f'configs/{NAME}', f'configs/{NAME}.py'])
def test_a_name_works_from_anywhere(name, tmp_path, monkeypatch):
    """If it fails, somebody without a clone cannot name a config."""
    monkeypatch.chdir(tmp_path)
    assert find_config(name) == FILE
    assert load_config(name, {'epochs': 1}).filename == str(FILE)


def test_a_file_goes_first(tmp_path, monkeypatch):
    """If it fails, a user's own config is passed over for one of the library."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs/mib').mkdir(parents=True)
    (tmp_path / f'configs/{NAME}.py').write_text(f"_base_ = '{FILE}'\nseed = 7\n")
    assert load_config(f'configs/{NAME}.py')['seed'] == 7
    assert load_config(NAME)['seed'] == 42, 'another path is another file'


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('mib/bisenet_r18_shape_4-1', f"; did you mean '{NAME}'"),
        ('bisenet_r101_coco-voc_60-20', "; did you mean 'wilson/bisenet_r101_coco-voc_60-20'?"),
        ('mbi/bisenet_r101_100-50', '; did you mean '),
        ('_base_/models/bisenet_r18', 'no config at _base_/models/bisenet_r18'),
        ('xyz', '^no config at xyz; incseg list configs shows all names$'),
        ('../configs/mib/bisenet_r18_shapes_4-1.py', 'no config at ../configs'),
    ],
)
def test_an_unknown_name_says_the_nearest(name, message, tmp_path, monkeypatch):
    """If it fails, a mistyped name is a dead end, or another config is trained."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError, match=message.replace('?', r'\?')) as error:
        load_config(name)
    assert '\n' not in str(error.value)


def test_a_matrix_takes_names(tmp_path, monkeypatch):
    """If it fails, a run's folder loses a part of its name, or its child cannot find the config."""
    monkeypatch.chdir(tmp_path)
    (run,) = plan_runs(['bisenet/bisenet_r101_lr0.001_bs16'], tmp_path / 'out')
    assert run.title == 'bisenet/bisenet_r101_lr0.001_bs16_seed42'
    assert str(library_files() / 'configs/bisenet/bisenet_r101_lr0.001_bs16.py') in run.command()


def test_names_have_no_bases():
    """If it fails, a part of a config is offered as a config."""
    names = config_names()
    assert NAME in names and not [name for name in names if '_base_' in name]
