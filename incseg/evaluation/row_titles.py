"""Which runs are seeds of one row, what the row is called, and where it stands."""
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from incseg.errors import InvalidInputError
from incseg.evaluation.run_result import RunResult

#: from the least that can be done to the most, as papers list them; others follow by name
METHOD_ORDER = ('ft', 'frozen', 'lwf', 'lwf_mc', 'ilt', 'ewc', 'pi', 'rw', 'mib', 'plop', 'sdr',
                'ssul', 'rcil', 'dkd', 'ewf', 'star')
#: most settings that a title spells out
MOST = 3
MISSING = 'unset'


def row_titles(runs: Sequence[RunResult]) -> list[str]:
    """The row of every run.

    A name given by the user is the row.  Else the method is; where it ran
    with several settings on one protocol, what differs is added, as in
    ``mib (loss_weight=100.0)``.  Settings are the configs kept beside the
    ledgers; where a run of the method has none, the ledgers' config paths.
    Where that leaves one seed twice in a row, ledgers that were kept under
    names of their own are told apart by these, as in ``mib (mib_memory)``.
    """
    titles = [run.name or run.method for run in runs]
    unnamed = defaultdict(list)
    for i, run in enumerate(runs):
        if run.name is None:
            unnamed[run.method].append(i)
    for method, members in unnamed.items():
        chosen = [runs[i] for i in members]
        found = method_titles(method, chosen)
        if has_a_seed_twice(chosen, found):
            found = [file_title(run, title) for run, title in zip(chosen, found)]
        for i, title in zip(members, found):
            titles[i] = title
    return titles


def has_a_seed_twice(runs: Sequence[RunResult], titles: Sequence[str]) -> bool:
    """Whether two runs of one protocol and one seed have the same title."""
    return len({(title, run.protocol, run.seed) for run, title in zip(runs, titles)}) < len(runs)


def file_title(run: RunResult, title: str) -> str:
    """The title, and what the name of a kept ledger says besides its method."""
    name = run.own_name
    return title if name in (None, run.method) else f'{run.method} ({name})'


def method_titles(method: str, runs: Sequence[RunResult]) -> list[str]:
    """Titles of one method's runs, told apart by the settings that differ within a protocol."""
    settings: list[Mapping[str, Any]] = [run.settings or {} for run in runs]
    if any(run.settings is None for run in runs):
        settings = [{'config': run.content['config']} for run in runs]
    protocols = defaultdict(list)
    for run, values in zip(runs, settings):
        protocols[run.protocol].append(values)
    keys = sorted({key for group in protocols.values() for key in differing(group)})
    if not keys:
        return [method] * len(runs)
    paths = [run.content['config'] for run in runs]
    if keys == ['config'] or (len(keys) > MOST and len({*paths}) == count(settings, keys)):
        unique = len({*map(stem, paths)}) == len({*paths})
        return [f'{method} ({stem(path) if unique else path})' for path in paths]
    short = [key.rpartition('.')[2] for key in keys]
    names = short if len({*short}) == len(keys) else keys
    return [f'{method} (' + ', '.join(
        f'{name}={values.get(key, MISSING)}' for name, key in zip(names, keys)) + ')'
        for values in settings]


def differing(group: Sequence[Mapping[str, Any]]) -> set[str]:
    """Keys that do not have one value throughout."""
    keys = {key for values in group for key in values}
    return {key for key in keys if any(
        values.get(key, MISSING) != group[0].get(key, MISSING) for values in group)}


def count(settings: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> int:
    return len({tuple(repr(values.get(key)) for key in keys) for values in settings})


def stem(path: str) -> str:
    return PurePath(path).stem


def row_rank(method: str, title: str) -> tuple:
    """Sorts rows: the known methods, the others by name, joint training last."""
    plain = method.lower().replace('-', '_')
    if plain == 'joint':
        place = len(METHOD_ORDER) + 1
    elif plain in METHOD_ORDER:
        place = METHOD_ORDER.index(plain)
    else:
        place = len(METHOD_ORDER)
    return place, plain, title != method, title


def check_seeds(title: str, runs: Sequence[RunResult]) -> None:
    """Refuse one seed twice in a row: two runs of one seed are not two seeds.

    Raises:
        InvalidInputError: Naming both ledgers and the ways out.
    """
    seen: dict[int, RunResult] = {}
    for run in runs:
        before = seen.setdefault(run.seed, run)
        if before is not run:
            raise InvalidInputError(
                f'{before.path} and {run.path} are both {title} on {" ".join(run.protocol[:3])} '
                f'with seed {run.seed}: leave one out, or give it a row of its own, '
                f'NAME={run.path}')
