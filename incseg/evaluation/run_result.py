from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from incseg.errors import InvalidInputError
from incseg.evaluation.conventions import CONVENTIONS
from incseg.evaluation.ledger import Ledger
from incseg.evaluation.run_settings import read_settings, row_settings

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
        return stem.removesuffix(f"_{self.content['protocol']['name']}")

    @property
    def protocol(self) -> ProtocolKey:
        """What runs of one column have in common."""
        protocol = self.content['protocol']
        return (protocol['dataset'], protocol['name'], protocol['setting'],
                tuple(protocol['classes']))

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
        return f"{len(self.content['steps'])} of {self.num_steps} steps"

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
                f'{path} is not a ledger: {key} is {value!r:.60}, expected {what}')
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
                if value is not None and not isfinite(expect(
                        value, (int, float), f'{where}.{column}',  # type: ignore[arg-type]
                        'a number or null')):
                    raise InvalidInputError(
                        f'{path} is not a ledger: {where}.{column} is {value}, expected percent')
