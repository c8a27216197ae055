"""The house: every module has a test file of its own name, in the mirrored place."""
import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(p for p in (ROOT / 'incseg').rglob('*.py') if p.name != '__init__.py')

#: floors from top to bottom: each may import from those after it, and from nothing before
FLOORS = [('apis',), ('engine',), ('evaluation', 'datasets', 'models'),
          ('protocols', 'structures'), ('registry', 'atomic_file'), ('errors',)]


@pytest.mark.parametrize('module', MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_has_a_test(module):
    """A stranger finds the tests of a file without searching."""
    parts = module.relative_to(ROOT / 'incseg').parts
    folder = ROOT.joinpath('tests', *(f'test_{part}' for part in parts[:-1]))
    assert (folder / f'test_{parts[-1]}').is_file()


@pytest.mark.parametrize('module', MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_down(module):
    """One way down: a lower floor never imports an upper one, nor a neighbour on its own."""
    own = module.relative_to(ROOT / 'incseg').parts[0].removesuffix('.py')
    level = next(i for i, floor in enumerate(FLOORS) if own in floor)
    allowed = {own, 'incseg', *(name for floor in FLOORS[level + 1:] for name in floor)}
    for node in ast.walk(ast.parse(module.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, 'absolute imports'
            names = [node.module or '']
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith('incseg.'):
                assert name.split('.')[1] in allowed, name


def test_files_are_of_readable_size():
    """Files of about 100 lines; the longest stay below 300."""
    long = {p.name: n for p in MODULES if (n := len(p.read_text().splitlines())) > 300}
    assert not long
