"""Find the ledgers that a user names, and read each as a run."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.ledger import HEADER, Ledger
from incseg.evaluation.run_settings import CONFIG_FILE, read_settings, row_settings
from incseg.utils.rules import expected, printable

#: data set, name, setting, classes in learning order
ProtocolKey = tuple[str, str, str, tuple[str, ...]]


@dataclass(frozen=True)
class RunResult:
    """The checked ledger of one run and the settings of its training.

    Attributes:
        path: The ledger's file.
        content: The content of that file.
        settings: The run's config by dotted key, without the seed, the
            protocol and settings that do not shape results; None if unknown.
        name: The title that the user wants for its row, or None.
    """

    path: Path
    content: dict[str, Any]
    settings: dict[str, Any] | None = None
    name: str | None = None

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> 'RunResult':
        """Read a ledger and the ``config.json`` next to it.

        Raises:
            InvalidInputError: If one of them is damaged or something else.
        """
        content = Ledger.read_file(path)
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
        """The file's name without protocol and seed; None for ``results.json`` of a work dir."""
        if self.path.name == Ledger.FILE:
            return None
        stem = self.path.stem.removesuffix(f'_seed{self.seed}')
        return printable(stem.removesuffix(f'_{self.content["protocol"]["name"]}'))

    @property
    def protocol(self) -> ProtocolKey:
        """The key of the columns of the comparison table that the run belongs to.

        It is ``(data set, name such as '15-1', setting, class names in learning order)``.  The
        setting of an open protocol ends with a digest of its steps, images and homes.
        """
        protocol = self.content['protocol']
        setting = protocol['setting']
        if 'homes' in protocol:  # scores of other images are not comparable
            tested = [protocol['homes'], protocol['sources'], protocol['steps']]
            text = json.dumps(tested, sort_keys=True)
            setting += f' {hashlib.sha256(text.encode()).hexdigest()[:8]}'
        return (protocol['dataset'], protocol['name'], setting, tuple(protocol['classes']))

    @property
    def num_steps(self) -> int:
        """Number of steps of the finished run; 1 if it learns all classes at once."""
        steps, protocol = self.content['steps'], self.content['protocol']
        first = next((entry for entry in steps if entry['step'] == 0), None)
        at_once = first is not None and len(first['iou']) == len(protocol['classes'])
        return 1 if at_once else len(protocol['steps'])

    @property
    def finished(self) -> bool:
        """Whether the ledger has every step."""
        entries = self.content['steps']
        given = entries and 'imported_from' in entries[0]  # a network of a later step, maybe
        first = entries[0]['step'] if given else 0
        return [entry['step'] for entry in entries] == list(range(first, self.num_steps))

    @property
    def progress(self) -> str:
        """The number of finished steps as text, ``'2 of 6 steps'``."""
        return f'{len(self.content["steps"])} of {self.num_steps} steps'

    def final(self, convention: str, column: str) -> float | None:
        """Return a mIoU after the last step in the ledger, in percent; None if it does not exist.

        Args:
            convention: Which IoUs are averaged: ``'mib'``, ``'plop'`` or ``'wilson'``.
            column: The classes: ``'base'``, ``'added'`` or ``'all'``.
        """
        return self.content['steps'][-1][convention][column]

    def over_steps(self, convention: str) -> list[float | None]:
        """Return the ``all`` mIoU after each step, in percent.

        Args:
            convention: Which IoUs are averaged: ``'mib'``, ``'plop'`` or ``'wilson'``.
        """
        return [entry[convention]['all'] for entry in self.content['steps']]


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
    """Split ``NAME=PATH`` into name and path; the name is None for a path alone.

    A path that exists may contain a ``=`` itself.

    Raises:
        InvalidInputError: The name or the path is empty.
    """
    name, equals, path = argument.partition('=')
    if not equals or Path(argument).exists():
        return None, Path(argument)
    if not name.strip() or not path:
        raise expected('a run', argument, 'a path, or NAME=PATH')
    return printable(name.strip()), Path(path)


def ledger_files(path: Path) -> list[Path]:
    """Return the paths of the ledgers that a path stands for; some may not be written yet.

    In a work dir only ``results.json`` counts.  In any other folder every
    ledger counts, whatever its name is.

    Args:
        path: A ledger, a work dir, or a folder of both at any depth.

    Raises:
        MissingFileError: There is no such path, or no ledger below it.
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
    others = {
        file
        for file in path.rglob('*.json')
        if work_dirs.isdisjoint(file.parents) and is_ledger(file)
    }
    if not work_dirs and not others:
        raise MissingFileError(f'no ledger ({Ledger.FILE}, or of another name) in {path} or below')
    return sorted(others.union(folder / Ledger.FILE for folder in work_dirs))


def is_ledger(path: Path) -> bool:
    """Tell whether a JSON file has most keys of a ledger; a damaged one is a ledger too."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return sum(f'"{key}":'.encode() in content for key in HEADER) > len(HEADER) / 2
