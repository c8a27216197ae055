"""Rows of a comparison: their titles, their order, and the runs that may share one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from incseg.errors import InvalidInputError
from incseg.evaluation.comparison.runs import RunResult

#: known methods in the order in which papers list them; others follow by name
METHOD_ORDER = (
    'ft',
    'ft_s',
    'frozen',
    'lwf',
    'lwf_mc',
    'ilt',
    'ewc',
    'pi',
    'rw',
    'mib',
    'mib_s',
    'plop',
    'ewf',
    'replay',
    'wilson',
)
#: methods that learn all classes at once; they come last
LAST = ('joint', 'joint_s')
#: a title names at most this many settings
MOST = 3
MISSING = 'unset'


def row_titles(runs: Sequence[RunResult]) -> list[str]:
    """Return the title of the row of every run.

    The title is the user's name for the run.  Without one it is the method,
    followed by the name of the ledger's file where that differs, as in
    ``mib (mib_memory)``.  Where such runs have several settings on one
    protocol, the settings that differ are added, as in
    ``mib (loss_weight=100.0)``.  Settings come from the ``config.json`` next
    to each ledger; if one run has none, the config paths of the ledgers serve.
    """
    titles = [run.name or default_title(run) for run in runs]
    unnamed = defaultdict(list)
    for i, run in enumerate(runs):
        if run.name is None:
            unnamed[titles[i]].append(i)
    for title, members in unnamed.items():
        for i, longer in zip(members, settings_titles(title, [runs[i] for i in members])):
            titles[i] = longer
    return titles


def default_title(run: RunResult) -> str:
    """Return the method, and in brackets the name of the ledger's file if it is another one.

    Test labels in which classes of later steps are background are named, too, and so is a test
    that does not predict whole pictures.
    """
    name, future = run.own_name, run.content['protocol'].get('future', 'void')
    title = run.method if name in (None, run.method) else f'{run.method} ({name})'
    title += f' with {run.content["model"]}' if 'model' in run.content else ''
    title += '' if future == 'void' else f', future as {future}'
    return f'{title}, {run.content["test"]}' if 'test' in run.content else title


def settings_titles(title: str, runs: Sequence[RunResult]) -> list[str]:
    """Return a title for each run: the shared title and the settings that differ among the runs.

    Args:
        title: The title that all runs have so far.
        runs: The runs; only those of one protocol are compared.

    Returns:
        The titles, unchanged if no setting differs.
    """
    settings: list[Mapping[str, Any]] = [run.settings or {} for run in runs]
    if any(run.settings is None for run in runs):
        settings = [{'config': run.content['config']} for run in runs]
    protocols = defaultdict(list)
    for run, values in zip(runs, settings):
        protocols[run.protocol].append(values)
    keys = sorted({key for group in protocols.values() for key in differing(group)})
    if not keys:
        return [title] * len(runs)
    paths = [run.content['config'] for run in runs]
    if keys == ['config'] or (len(keys) > MOST and len({*paths}) == count(settings, keys)):
        unique = len({*map(stem, paths)}) == len({*paths})
        return [f'{title} ({stem(path) if unique else path})' for path in paths]
    short = [key.rpartition('.')[2] for key in keys]
    names = short if len({*short}) == len(keys) else keys
    return [
        f'{title} ('
        + ', '.join(f'{name}={values.get(key, MISSING)}' for name, key in zip(names, keys))
        + ')'
        for values in settings
    ]


def differing(group: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the keys whose values differ within a group of settings.

    Args:
        group: Settings by key, one dict per run; a missing key counts as a value.
    """
    keys = {key for values in group for key in values}
    return {
        key
        for key in keys
        if any(values.get(key, MISSING) != group[0].get(key, MISSING) for values in group)
    }


def count(settings: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> int:
    """Return how many different combinations of values some keys have.

    Args:
        settings: Settings by key, one dict per run.
        keys: The keys.
    """
    return len({tuple(repr(values.get(key)) for key in keys) for values in settings})


def stem(path: str) -> str:
    return PurePath(path).stem


def row_rank(method: str, title: str) -> tuple:
    """Return a sort key for a row: known methods first, then others by name, joint training last.

    Args:
        method: Name of the row's method.
        title: Title of the row.
    """
    plain = method.lower().replace('-', '_')
    if plain in LAST:
        place = len(METHOD_ORDER) + 1 + LAST.index(plain)
    elif plain in METHOD_ORDER:
        place = METHOD_ORDER.index(plain)
    else:
        place = len(METHOD_ORDER)
    return place, plain, title != method, title


def check_method(title: str, runs: Sequence[RunResult]) -> None:
    """Refuse a row that mixes two methods.

    Raises:
        InvalidInputError: Two runs have different methods; names a ledger of each.
    """
    for run in runs:
        if run.method != runs[0].method:
            raise InvalidInputError(
                f'the row {title!r} has two methods: {runs[0].path} is of {runs[0].method}, '
                f'{run.path} of {run.method}; give each a row of its own, NAME=PATH'
            )


def check_cell(title: str, runs: Sequence[RunResult]) -> None:
    """Refuse rows that mix runs which cannot be averaged.

    Two runs of one protocol must have different seeds and equal settings.  A
    run whose settings are unknown is only checked for its seed.

    Args:
        title: The row.
        runs: Its runs of one protocol.

    Raises:
        InvalidInputError: A seed occurs twice, or settings differ; names both ledgers.
    """
    seeds: dict[int, RunResult] = {}
    for run in runs:
        before = seeds.setdefault(run.seed, run)
        if before is not run:
            raise InvalidInputError(
                f'{before.path} and {run.path} are both {title} on {" ".join(run.protocol[:3])} '
                f'with seed {run.seed}: leave one out, or give it a row of its own, '
                f'NAME={run.path}'
            )
    known = [(run, run.settings) for run in runs if run.settings is not None]
    for run, settings in known[1:]:
        first, its = known[0]
        if different := sorted(differing([its, settings])):
            key = different[0]
            raise InvalidInputError(
                f'the row {title!r} has two settings on {" ".join(run.protocol[:3])}: {key} is '
                f'{its.get(key, MISSING)!r} in {first.path} and {settings.get(key, MISSING)!r} in '
                f'{run.path}; give each a row of its own, NAME=PATH'
            )


#: the notes name at most this many settings
MOST_SETTINGS = 6


def other_settings(rows: Mapping[str, Sequence[RunResult]]) -> list[str]:
    """Describe the settings in which rows of one protocol differ, one line per setting.

    A method that was trained for longer, or on larger images, is not compared
    on equal terms; the table says so.  Runs without a ``config.json``
    cannot be judged.

    Args:
        rows: Row title -> its runs, each trained with the same settings.

    Returns:
        Lines such as ``'epochs differs: 16 (joint); [10, 3] (ft, mib)'``.
    """
    settings = {
        title: {
            key: value
            for key, value in runs[0].settings.items()
            if not key.startswith(('method.', 'custom_hooks'))
        }
        for title, runs in rows.items()
        if runs[0].settings is not None
    }
    if not settings:
        return []
    keys = sorted(differing(list(settings.values())))
    lines = []
    for key in keys[:MOST_SETTINGS]:
        groups: dict[str, list[str]] = {}
        for title, values in settings.items():
            groups.setdefault(shortened(values.get(key, MISSING)), []).append(title)
        text = '; '.join(f'{value} ({", ".join(titles)})' for value, titles in groups.items())
        lines.append(f'{key} differs: {text}')
    if keys[MOST_SETTINGS:]:
        lines.append(
            f'{len(keys) - MOST_SETTINGS} more settings differ: {", ".join(keys[MOST_SETTINGS:])}'
        )
    return lines


def shortened(value: Any) -> str:
    """Return a value as text of at most 40 characters."""
    text = str(value)
    return text if len(text) <= 40 else f'{text[:37]}…'
