"""The library's configs: found by name from anywhere, and described in a line each.

Files are read as text, so nothing of a config runs and nothing heavy is imported.
"""

import ast
from difflib import get_close_matches
from pathlib import Path

from incseg.errors import MissingFileError
from incseg.utils.repository import library_files
from incseg.utils.rules import any_of

#: kind of part -> folder of its bases
BASES = {'methods': 'methods', 'networks': 'models', 'datasets': 'data', 'protocols': 'protocols'}
#: what :func:`describe_parts` knows
KINDS = (*BASES, 'configs')
#: how many similar names a message shows
MOST = 3


def config_names() -> list[str]:
    """Return the names of the library's configs, ``'mib/bisenet_r18_shapes_4-1'``, sorted."""
    folder = library_files() / 'configs'
    files = (file.relative_to(folder).with_suffix('') for file in folder.glob('*/*.py'))
    paths = (file.as_posix() for file in files if not file.name.startswith('_'))
    return sorted(path for path in paths if not path.startswith('_base_/'))


def find_config(name: str | Path) -> Path:
    """Return the file of a config.

    A file of that path goes first.  Otherwise the name is one of :func:`config_names`; it may
    begin with ``configs/`` and end with ``.py``.

    Args:
        name: A path, or a name of the library's.

    Returns:
        The path as it is given if something is there, else the file in the library.

    Raises:
        MissingFileError: There is neither; the message has the most similar names.
    """
    path = Path(name)
    if path.exists():
        return path
    wanted = path.as_posix().removeprefix('configs/').removesuffix('.py')
    known = config_names()
    if wanted in known:
        return library_files() / 'configs' / f'{wanted}.py'
    same = [each for each in known if each.rpartition('/')[2] == wanted.rpartition('/')[2]]
    close = get_close_matches(wanted, same, MOST, 0) or get_close_matches(wanted, known, MOST)
    hint = f'; did you mean {any_of(close)}?' if close else '; incseg list configs shows all names'
    raise MissingFileError(f'no config at {path}{hint}')


def describe_parts(kind: str) -> dict[str, str]:
    """Return a line about each part of a kind, by its name, sorted.

    Args:
        kind: One of :data:`KINDS`.
    """
    if kind == 'configs':
        return {name: describe_config(name) for name in config_names()}
    files = (library_files() / 'configs' / '_base_' / BASES[kind]).glob('*.py')
    describe = describe_protocol if kind == 'protocols' else first_comment
    return {file.stem: describe(file) for file in sorted(files, key=natural_order)}


def natural_order(file: Path) -> list[tuple[int, int | str]]:
    """Return a key that sorts names by their numbers: ``4-1`` before ``15-1``."""
    parts = file.stem.replace('-', '_').split('_')
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]


def first_comment(file: Path) -> str:
    """Return the first line of a file if it is a comment, else an empty text."""
    first = file.read_text(encoding='utf-8').partition('\n')[0]
    return first.removeprefix('#').strip() if first.startswith('#') else ''


def describe_protocol(file: Path) -> str:
    """Return the steps that the name of a protocol stands for, in words."""
    base, dash, increment = file.stem.partition('-')
    if not dash:
        return 'all classes in one step'
    noun = 'class' if increment == '1' else 'classes'
    return f'{base} classes in step 0, then {increment} {noun} in each step'


def describe_config(name: str) -> str:
    """Return the bases of a config of the library: method, network, data set, protocol.

    A config with a docstring, or based on another one, has its docstring or the other's name.

    Args:
        name: Its name, of :func:`config_names`.
    """
    file = library_files() / 'configs' / f'{name}.py'
    tree = ast.parse(file.read_text(encoding='utf-8'))
    if text := ast.get_docstring(tree):
        return text.partition('\n')[0]
    bases = [Path(base) for base in bases_of(tree)]
    named = {base.parent.name: base.stem for base in bases}
    words = [named[folder] for folder in BASES.values() if folder in named]
    if 'seam' in named:
        words[0] += ' on image-level labels'
    others = [f'{base.parent.name}/{base.stem}' for base in bases if '_base_' not in base.parts]
    return ', '.join([*words, *others])


def bases_of(tree: ast.Module) -> list[str]:
    """Return the paths that a config's ``_base_`` lists."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '_base_':
            value = ast.literal_eval(node.value)
            return [value] if isinstance(value, str) else list(value)
    return []
