"""Every public docstring says what its reader needs: shapes, errors, source."""

import inspect
import pkgutil
import re
from importlib import import_module

import pytest
from mmengine.registry import Registry
from torch import Tensor

import incseg
from incseg import registry
from tests.common.contract import registered
from tests.common.docstrings import complaints

CALLED = ('__call__', 'forward')


def public():
    """Public classes and functions by full name: exported by a package, or registered."""
    items = {}
    for info in pkgutil.walk_packages(incseg.__path__, 'incseg.'):
        module = import_module(info.name)
        items |= {
            id(getattr(module, name)): getattr(module, name)
            for name in getattr(module, '__all__', ())
        }
    for node in vars(registry).values():
        if isinstance(node, Registry):
            items |= {id(part): part for part in registered(node).values()}
    return {
        f'{item.__module__}.{item.__qualname__}': item
        for item in items.values()
        if inspect.isclass(item) or inspect.isfunction(item)
    }


def methods(kind):
    """Public methods that a class adds to its bases, or describes anew."""
    for name, item in vars(kind).items():
        function = item.fget if isinstance(item, property) else getattr(item, '__func__', item)
        if not inspect.isfunction(function) or name.startswith('_') and name not in CALLED:
            continue
        inherited = any(name in vars(base) for base in kind.__mro__[1:])
        if function.__doc__ or not inherited:
            yield name, function


PUBLIC = public()
#: rooms whose parts compute what papers define
OF_PAPERS = (
    'incseg.engine.hooks.importance_methods',
    'incseg.engine.hooks.weight_fusion',
    'incseg.models.backbones',
    'incseg.models.classifier_init',
    'incseg.models.distillation',
    'incseg.models.labellers',
    'incseg.models.losses',
    'incseg.models.weak',
)


#: of these rooms what no paper defines
OF_NO_PAPER = {
    'BaseBackbone',
    'BaseDistillation',
    'BaseLabeller',
    'BatchNorm',
    'CrossEntropyLoss',
    'Encoder',
    'Localisation',
    'NoRefinement',
    'PixelCrossEntropy',
    'RandomInit',
    'present_masks',
    'resize_corners',
}


def lacking(name):
    """What the docstring of a public class, with its methods, or function lacks."""
    item = PUBLIC[name]
    found = complaints(name, item)
    if inspect.isclass(item):
        for method, function in methods(item):
            found += complaints(f'{name}.{method}', function, item)
    doc = inspect.getdoc(item) or ''
    cited = 'Source: ' in doc or 'See :func:' in doc
    if name.startswith(OF_PAPERS) and not cited and item.__name__ not in OF_NO_PAPER:
        found.append(f'{name} names no source of its formula')
    return found


@pytest.mark.parametrize('name', sorted(PUBLIC))
def test_docstring(name):
    """If it fails, a user has to read the code to learn what goes in, what comes out, what may
    go wrong, or which paper's formula it is."""
    found = lacking(name)
    assert not found, '\n'.join(found)


def good(x: Tensor, size: int) -> Tensor:
    """Resize maps.

    Args:
        x: ``(N, C, h, w)``.
        size: Of both sides, in pixels.

    Returns:
        ``(N, C, size, size)``.

    Raises:
        ValueError: The size is not positive.

    Source: Nobody et al., CVPR 2020.
    """
    if size < 1:
        _refuse(size)
    return x[..., :size, :size]


def _refuse(size):
    raise ValueError(size)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('Resize maps.', '', 'has no docstring|no sentence'),
        ('Resize maps.', 'Resize maps', 'the first line is no sentence'),
        ('        size: Of both sides, in pixels.\n', '', 'Args lacks size'),
        ('x: ``(N, C, h, w)``.', 'x: The maps.', 'no shape of x'),
        ('``(N, C, size, size)``.', 'The resized maps.', 'no shape of what it returns'),
        ('ValueError: The', 'KeyError: The', 'no Raises section names ValueError'),
        ('Source: ', 'From ', 'has no Source'),
    ],
)
def test_what_is_found(old, new, message, monkeypatch):
    """If it fails, a docstring passes that says too little."""
    assert complaints('good', good) == []
    assert old in good.__doc__
    monkeypatch.setattr(good, '__doc__', good.__doc__.replace(old, new))
    assert re.search(message, '\n'.join(complaints('good', good)))
