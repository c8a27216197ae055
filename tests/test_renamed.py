"""Old names of modules: a repository written for the version before goes on working."""

import importlib
import sys
import warnings

import pytest

from incseg.renamed import MODULES, new_name


@pytest.mark.parametrize('old', MODULES)
def test_an_old_name_imports_with_a_warning(old):
    """If it fails, somebody's plug-in stops at its first import, or is never told the new name."""
    name = f'incseg.{old}'
    sys.modules.pop(name, None)
    with pytest.warns(DeprecationWarning, match=new_name(name)):
        module = importlib.import_module(name)
    new = importlib.import_module(new_name(name))
    shared = [key for key in vars(new) if not key.startswith('__')]
    assert shared and all(getattr(module, key) is getattr(new, key) for key in shared)


def test_a_function_named_as_its_module_stays_the_function():
    """If it fails, importing the old module takes the function of that name from the package."""
    import incseg.datasets

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        importlib.import_module('incseg.datasets.colour_map')
    from incseg.datasets.label_maps.label_file import colour_map

    assert incseg.datasets.colour_map is colour_map


def test_other_names_are_not_invented():
    """If it fails, a typing mistake in an import is not said."""
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module('incseg.engine.no_such_module')
