"""Images that lie elsewhere than in the training: one folder says where all of them are now."""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from incseg.engine.recipe.names import names_in
from incseg.engine.recipe.step_sources import AWAY, OPEN
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.run_settings import is_root

#: the key of the data set's folder, which the option sets in any case
DATA_ROOT = 'data_root'
#: arguments of a data set that may be paths below its folder
PATHS = ('images', 'masks', 'colours', 'ann_file')


def move_data(config: MutableMapping[str, Any], folder: str | Path) -> list[str]:
    """Let the data sets of a config read from a folder in which their images are now.

    A data set that lay in ``/old/horses`` is looked for in ``old/horses`` and ``horses`` below the
    folder.  If it is in neither, the folder itself is taken for the config's ``data_root``, or for
    the only data set that is not in its old place.

    Args:
        config: A config, which is changed.
        folder: Where the images are.

    Returns:
        A line for each data set that is read elsewhere now, ``'/new/horses (was /old/horses)'``.

    Raises:
        MissingFileError: There is no such folder.
        InvalidInputError: It holds none of the images.
    """
    folder = os.path.abspath(folder)
    if not os.path.isdir(folder):
        raise MissingFileError(f'--data-root is {folder!r}, which is not there')
    told: dict[str, str] = {}
    named = {name for name in names_in(dict(config)) if is_root(name)}
    nodes = [*data_sets(config.get('data')), *data_sets(config.get('protocol'))]
    roots = list(dict.fromkeys(str(node[DATA_ROOT]) for node in nodes))
    gone = [root for root in roots if not os.path.isdir(root)]
    fit = [root for root in gone if holds(folder, [n for n in nodes if n[DATA_ROOT] == root])]
    itself = fit if len(fit) == 1 else gone if len(gone) == 1 and not named else []
    for old in roots:
        new = below(folder, old) or (folder if old in itself else None)
        if new is not None:
            told[old] = new
            for node in nodes:
                if node[DATA_ROOT] == old:
                    lay_at(node, new)
    for name in sorted(named):
        old = str(config.get(name))
        new = below(folder, old)
        if new is None and name == DATA_ROOT and not told:
            new = folder
        if new is not None:
            config[name] = told[old] = new
    for step in steps_of(config).values():
        if isinstance(step.get(AWAY), Mapping) and {*roots_of(step[AWAY])} & {*told.values()}:
            step['data'] = step.pop(AWAY)
    if not told:
        were = ', '.join(roots) or 'none: they are not read from a folder'
        raise InvalidInputError(
            f'--data-root is {folder!r}, which holds none of the images of the model, expected a '
            f'folder that holds, by the same names, those that were in {were}'
        )
    return [f'{new} (was {old})' for old, new in told.items() if new != old]


def steps_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the steps of an open protocol, of another one none."""
    protocol = config.get('protocol') or {}
    steps = protocol.get('steps') if protocol.get('name') == OPEN else None
    return {name: step for name, step in (steps or {}).items() if isinstance(step, Mapping)}


def roots_of(value: Any) -> list[str]:
    """Return the folders of the data sets in a part of a config."""
    return [node[DATA_ROOT] for node in data_sets(value)]


def data_sets(value: Any) -> Iterator[MutableMapping[str, Any]]:
    """Yield the data sets in a part of a config that name their folder themselves."""
    if isinstance(value, MutableMapping):
        root = value.get(DATA_ROOT)
        if isinstance(root, str) and root and not root.startswith('$'):
            yield value
    for item in value.values() if isinstance(value, Mapping) else ():
        yield from data_sets(item)
    for item in value if isinstance(value, list | tuple) else ():
        yield from data_sets(item)


def below(folder: str, old: str) -> str | None:
    """Return the folder below another one that ends as an old path does, the longest end first."""
    parts = Path(old).parts
    ends = (parts[start:] for start in range(len(parts)) if parts[start] != os.sep)
    places = (os.path.join(folder, *end) for end in ends)
    return next((place for place in places if os.path.isdir(place)), None)


def lay_at(node: MutableMapping[str, Any], new: str) -> None:
    """Change the folder of a data set, and its paths below that folder."""
    old = node[DATA_ROOT]
    node[DATA_ROOT] = new
    for key in PATHS:
        if isinstance(node.get(key), str) and is_below(node[key], old):
            node[key] = os.path.join(new, os.path.relpath(node[key], old))


def holds(folder: str, own: list[MutableMapping[str, Any]]) -> bool:
    """Say whether a folder has what the data sets of one root name below that root."""
    paths = [
        os.path.relpath(node[key], node[DATA_ROOT]).partition('{split}')[0]
        for node in own
        for key in PATHS
        if isinstance(node.get(key), str) and is_below(node[key], node[DATA_ROOT])
    ]
    return bool(paths) and all(os.path.exists(os.path.join(folder, path)) for path in paths)


def is_below(path: str, root: str) -> bool:
    """Say whether an absolute path lies below a folder."""
    return os.path.isabs(path) and Path(path).is_relative_to(root)
