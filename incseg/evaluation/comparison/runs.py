"""From what the user names to the ledgers that are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.conventions import CONVENTIONS
from incseg.evaluation.ledger import Ledger
from incseg.evaluation.run_settings import CONFIG_FILE, read_settings, row_settings

COLUMNS = ('base', 'added', 'all')
#: data set, name, setting, classes in learning order
ProtocolKey = tuple[str, str, str, tuple[str, ...]]


@dataclass(frozen=True)
class RunResult:
    """One run's ledger, checked, with the settings it was trained with.

    Attributes:
        path: The ledger's file.
        content: What it holds.
        settings: The config beside it by dotted key, without the seed, the
            protocol and what does not shape results; None where there is none.
        name: The row that the user wants it in, if any.
    """

    path: Path
    content: dict[str, Any]
    settings: dict[str, Any] | None = None
    name: str | None = None

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> 'RunResult':
        """Read a ledger's file and the config beside it.

        Raises:
            InvalidInputError: If one of them is damaged or something else.
        """
        content = Ledger.read_file(path)
        check_ledger(path, content)
        settings = read_settings(path.parent) if path.name == Ledger.FILE else None
        return cls(path, content, None if settings is None else row_settings(settings), name)

    @property
    def method(self) -> str:
        return self.content['method']

    @property
    def seed(self) -> int:
        return self.content['seed']

    @property
    def own_name(self) -> str | None:
        """The file's name without protocol and seed; None where it is a work dir's ledger."""
        if self.path.name == Ledger.FILE:
            return None
        stem = self.path.stem.removesuffix(f'_seed{self.seed}')
        return stem.removesuffix(f'_{self.content["protocol"]["name"]}')

    @property
    def protocol(self) -> ProtocolKey:
        """What runs of one column have in common."""
        protocol = self.content['protocol']
        return (
            protocol['dataset'],
            protocol['name'],
            protocol['setting'],
            tuple(protocol['classes']),
        )

    @property
    def num_steps(self) -> int:
        """How many steps the run has when it is finished; 1 if it learns all classes at once."""
        steps, protocol = self.content['steps'], self.content['protocol']
        first = next((entry for entry in steps if entry['step'] == 0), None)
        at_once = first is not None and len(first['iou']) == len(protocol['classes'])
        return 1 if at_once else len(protocol['steps'])

    @property
    def finished(self) -> bool:
        """Whether the ledger has every step."""
        return [entry['step'] for entry in self.content['steps']] == list(range(self.num_steps))

    @property
    def progress(self) -> str:
        return f'{len(self.content["steps"])} of {self.num_steps} steps'

    def final(self, convention: str, column: str) -> float | None:
        """``base``, ``added`` or ``all`` mIoU after the last step, in percent."""
        return self.content['steps'][-1][convention][column]

    def over_steps(self, convention: str) -> list[float | None]:
        """``all`` mIoU after each step, in percent."""
        return [entry[convention]['all'] for entry in self.content['steps']]


def check_ledger(path: Path, content: dict[str, Any]) -> None:
    """Refuse what only looks like a ledger, naming the first key that is wrong."""

    def expect(value: Any, kind: type, key: str, what: str) -> Any:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InvalidInputError(
                f'{path} is not a ledger: {key} is {value!r:.60}, expected {what}'
            )
        return value

    for key in ('config', 'method'):
        expect(content[key], str, key, 'text')
    expect(content['seed'], int, 'seed', 'an integer')
    protocol = expect(content['protocol'], dict, 'protocol', 'an object')
    for key in ('name', 'dataset', 'setting'):
        expect(protocol.get(key), str, f'protocol.{key}', 'text')
    for key, kind in (('steps', list), ('classes', str)):
        for item in expect(protocol.get(key), list, f'protocol.{key}', 'a list'):
            expect(item, kind, f'an item of protocol.{key}', f'a {kind.__name__}')
    for i, entry in enumerate(expect(content['steps'], list, 'steps', 'a list')):
        expect(entry, dict, f'steps[{i}]', 'an object')
        expect(entry.get('step'), int, f'steps[{i}].step', 'an integer')
        expect(entry.get('iou'), dict, f'steps[{i}].iou', 'an object')
        for convention in CONVENTIONS:
            where = f'steps[{i}].{convention}'
            means = expect(entry.get(convention), dict, where, 'an object')
            for column in COLUMNS:
                value = means.get(column, '')
                if value is not None and not isfinite(
                    expect(
                        value,
                        (int, float),  # type: ignore[arg-type]
                        f'{where}.{column}',
                        'a number or null',
                    )
                ):
                    raise InvalidInputError(
                        f'{path} is not a ledger: {where}.{column} is {value}, expected percent'
                    )


def find_runs(arguments: Sequence[str]) -> tuple[list[RunResult], list[str]]:
    """Read the ledgers of work dirs.

    Args:
        arguments: Each a work dir, a folder of work dirs, or a ledger's file,
            or ``NAME=`` and one of them: ``NAME`` becomes the row's title.

    Returns:
        The runs, each once, in the order of the arguments; and the work dirs
        that have no ledger yet.

    Raises:
        MissingFileError: If a path, or a ledger in it, is missing.
        InvalidInputError: If a ledger is damaged or something else.
    """
    runs: dict[Path, RunResult] = {}
    without: dict[Path, str] = {}
    for argument in arguments:
        name, path = split_name(argument)
        for file in ledger_files(path):
            if file.is_file():
                before = runs.setdefault(file.resolve(), RunResult.read(file, name))
                if before.name != name:
                    raise InvalidInputError(
                        f'{file} is named twice, in the rows {before.name or before.method!r} '
                        f'and {name or before.method!r}'
                    )
            else:
                without[file.resolve()] = str(file.parent)
    return list(runs.values()), list(without.values())


def split_name(argument: str) -> tuple[str | None, Path]:
    """``NAME=PATH``, or a path, which may hold a ``=`` itself."""
    name, equals, path = argument.partition('=')
    if not equals or Path(argument).exists():
        return None, Path(argument)
    if not name.strip() or not path:
        raise InvalidInputError(f'{argument!r}: expected a path, or NAME=PATH')
    return name.strip(), Path(path)


def ledger_files(path: Path) -> list[Path]:
    """The ledgers of a path; one that is not there yet stands for a run without one.

    In a work dir ``results.json`` alone counts; elsewhere in a folder every
    ledger does, whatever its name is.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise MissingFileError(f'no work dir and no ledger at {path}')
    here = path / Ledger.FILE
    if here.is_file() or (path / CONFIG_FILE).is_file():
        return [here]
    work_dirs = {file.parent for file in path.rglob(Ledger.FILE)}
    work_dirs |= {
        file.parent for file in path.rglob(CONFIG_FILE) if (file.parent / 'step_0').is_dir()
    }
    kept = {
        file
        for file in path.rglob('*.json')
        if work_dirs.isdisjoint(file.parents) and is_ledger(file)
    }
    if not work_dirs and not kept:
        raise MissingFileError(f'no ledger ({Ledger.FILE}, or of another name) in {path} or below')
    return sorted(kept.union(folder / Ledger.FILE for folder in work_dirs))


def is_ledger(path: Path) -> bool:
    """Whether a JSON file of any name is, by its keys, a ledger."""
    try:
        Ledger.read_file(path)
    except InvalidInputError:
        return False
    return True
