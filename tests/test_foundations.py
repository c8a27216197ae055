"""Errors and registries, the ground floor of the house."""

import importlib

import pytest

from incseg import errors, registry


@pytest.mark.parametrize(
    ('error', 'builtin'),
    [
        (errors.InvalidInputError, ValueError),
        (errors.MissingFileError, FileNotFoundError),
        (errors.SaveError, OSError),
        (errors.NonFiniteLossError, ArithmeticError),
    ],
)
def test_users_errors_are_ordinary_errors(error, builtin):
    """Library callers catch what Python programmers expect; the command line catches UserError."""
    assert issubclass(error, builtin) and issubclass(error, errors.UserError)
    assert str(error('one line')) == 'one line'


def test_locations_import():
    """A registry that cannot import its own modules finds nothing, with a message nobody reads."""
    for name in (
        'DATASETS',
        'HOOKS',
        'LOOPS',
        'METRICS',
        'MODELS',
        'OPTIM_WRAPPERS',
        'OPTIM_WRAPPER_CONSTRUCTORS',
        'PARAM_SCHEDULERS',
        'STEP_LABELS',
        'TASK_UTILS',
        'TRANSFORMS',
        'DATA_SAMPLERS',
    ):
        node = getattr(registry, name)
        for location in node._locations:
            importlib.import_module(location)
        assert node.scope == 'incseg' and len(node.module_dict) > 0, name


def test_children_fall_back_to_mmengine():
    """A config may name what mmengine or torch offer without a prefix."""
    assert registry.OPTIMIZERS.get('SGD') is not None
    assert registry.HOOKS.get('EMAHook') is not None
    assert registry.MODELS.get('BiSeNet').__module__.startswith('incseg')
