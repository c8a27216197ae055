"""Types of other packages of mmengine's family that are not there, or do not import."""

import sys

import pytest
from mmengine import registry as root

from incseg.apis.config.stored import check_dotted_types
from incseg.errors import InvalidInputError
from incseg.registry import MODELS

PACKAGES = {
    'toy_missing': None,
    'toy_broken': ("raise AssertionError('mmcv 2.2 is not\\nallowed')", ''),
    'toy_lacking': ('import toy_not_there', ''),
    'toy_half': (
        '',
        'from mmengine import registry as root\n'
        "MODELS = root.Registry('model', parent=root.MODELS, scope='toy_half',"
        " locations=['toy_half.nets'])",
    ),
    'toy_empty': ('', ''),
}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Forget the packages after each test."""
    monkeypatch.setattr(root.MODELS, '_children', dict(root.MODELS.children))
    yield
    for name in [each for each in sys.modules if each.partition('.')[0] in PACKAGES]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ('package', 'reason'),
    [
        ('toy_missing', 'needs toy_missing, which is not installed$'),
        ('toy_broken', 'which does not import here: AssertionError: mmcv 2.2 is not$'),
        ('toy_lacking', "does not import here: ModuleNotFoundError: No module named 'toy_not_th"),
        ('toy_half', 'which does not import here: ImportError: no einops'),
        ('toy_empty', 'registered'),
    ],
)
@pytest.mark.parametrize('way', ['config', 'python'])
def test_why_a_type_is_not_there(tmp_path, monkeypatch, package, reason, way):
    """If it fails, a user looks for custom_imports where a package is missing or broken."""
    if PACKAGES[package]:
        folder = tmp_path / package
        folder.mkdir()
        for file, text in zip(('__init__', 'registry'), PACKAGES[package], strict=True):
            (folder / f'{file}.py').write_text(text)
        (folder / 'nets.py').write_text("raise ImportError('no einops')")
    monkeypatch.syspath_prepend(tmp_path)
    part = dict(type='ScopedBackbone', backbone=dict(type=f'{package}.Net'))
    with pytest.raises(InvalidInputError, match=reason) as error:
        if way == 'config':
            check_dotted_types({'model': {'backbone': part}})
        else:
            MODELS.build(part)
    message = str(error.value)
    assert f"backbone.type is '{package}.Net', " in message and '\n' not in message
    assert ('custom_imports' in message) == (package == 'toy_empty' and way == 'config')
