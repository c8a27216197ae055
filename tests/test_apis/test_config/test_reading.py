"""A config file is read, or refused in one line that names the file and the reason."""

from pathlib import Path

import pytest

from incseg.apis import load_config
from incseg.errors import InvalidInputError, MissingFileError

CONFIG = Path(__file__).parents[3] / 'configs' / 'mib' / 'bisenet_r18_shapes_4-1.py'


def test_unknown_config(tmp_path):
    """A mistyped path is named."""
    with pytest.raises(MissingFileError, match=r'no config at .*nowhere\.py'):
        load_config(tmp_path / 'nowhere.py')


def test_folder_for_a_config(tmp_path):
    """Forgetting the file name says so."""
    with pytest.raises(InvalidInputError, match='is .*, expected a .py file'):
        load_config(tmp_path)


def test_other_file_for_a_config(tmp_path):
    """A checkpoint in the config's place is not executed."""
    (tmp_path / 'a.pth').write_bytes(b'x')
    with pytest.raises(InvalidInputError, match='is .*a.pth.*, expected a .py file'):
        load_config(tmp_path / 'a.pth')


def test_broken_config(tmp_path):
    """A config that does not import names itself and the reason, in one line."""
    path = tmp_path / 'a.py'
    path.write_text('epochs = = 3\n')
    with pytest.raises(InvalidInputError, match=r'a\.py cannot be read: SyntaxError') as error:
        load_config(path)
    assert '\n' not in str(error.value)


def test_missing_custom_import(tmp_path):
    """A custom package that is not on the path is named, not swallowed."""
    path = tmp_path / 'a.py'
    path.write_text(f"_base_ = ['{CONFIG}']\ncustom_imports = dict(imports=['no_such_package'])\n")
    with pytest.raises(InvalidInputError, match='no_such_package.*; run the .* PYTHONPATH=FOLDER'):
        load_config(path)


def test_a_plug_ins_own_mistake_is_shown(tmp_path, monkeypatch):
    """Not that an import failed, but why and where."""
    (tmp_path / 'broken_plugin.py').write_text('import torch\nimport no_such_module_of_mine\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / 'a.py'
    path.write_text(f"_base_ = ['{CONFIG}']\ncustom_imports = dict(imports=['broken_plugin'])\n")
    with pytest.raises(InvalidInputError, match=r'no_such_module_of_mine.*broken_plugin.py:2'):
        load_config(path)
