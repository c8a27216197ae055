from math import isfinite
from pathlib import Path
from typing import Any

from incseg.evaluation.conventions import CONVENTIONS, convention_means, forgetting
from incseg.evaluation.report import class_table, results_table
from incseg.evaluation.run_settings import CONFIG_FILE
from incseg.utils.files import has_digest, read_json, write_atomically, write_json
from incseg.utils.rules import expected

#: keys of every ledger
HEADER = ('config', 'method', 'seed', 'protocol', 'steps')
#: the means of a convention
COLUMNS = ('base', 'added', 'all')


class Ledger:
    """The ledger of a run, ``results.json`` and ``results.md``: one entry per step.

    Both files are replaced as a whole after every step.  All numbers are full
    floats in percent; a number that does not exist is null.

    Args:
        header: ``{'config', 'method', 'seed', 'protocol'}`` as in the file.
        base: Names of the classes of step 0.
        added: Names of the classes of all later steps.
    """

    FILE = 'results.json'

    def __init__(self, header: dict[str, Any], base: list[str], added: list[str]):
        self.header = header
        self.base, self.added = base, added
        self.steps: list[dict[str, Any]] = []

    @classmethod
    def read(cls, work_dir: str | Path) -> dict[str, Any] | None:
        """Read the content of a work dir's ``results.json``; None if there is none.

        Raises:
            InvalidInputError: As :meth:`read_file`.
        """
        path = Path(work_dir) / cls.FILE
        signed = has_digest(path.with_name(CONFIG_FILE))  # as all files of such a run
        return cls.read_file(path, signed) if path.is_file() else None

    @staticmethod
    def read_file(path: Path, digest: bool = False) -> dict[str, Any]:
        """Read the content of a ledger from its file.

        Args:
            path: The file.
            digest: Whether a ledger without digest is refused.

        Raises:
            InvalidInputError: If the file cannot be read, is damaged or something else.
        """
        content = read_json(path, 'a ledger', digest)
        check_ledger(path, content)
        return content

    def step(self, k: int) -> dict[str, Any] | None:
        """Return the entry of step ``k``; None if it has none."""
        return next((entry for entry in self.steps if entry['step'] == k), None)

    def drop(self, k: int) -> None:
        """Remove the entry of step ``k``, if there is one."""
        self.steps = [entry for entry in self.steps if entry['step'] != k]

    def add(
        self,
        k: int,
        metrics: dict[str, Any],
        old: list[str],
        *,
        train_images: int | None,
        seconds: float | None,
        history: list[dict[str, float | None]] | None = None,
        **extra: Any,
    ) -> dict[str, Any]:
        """Put in the entry of step ``k``, in the order of the steps; it replaces an earlier one.

        Args:
            k: Number of the step, from 0.
            metrics: ``{'iou', 'accuracy'}`` of :class:`ConfusionMetric`.
            old: Names of the classes learned before step ``k``.
            train_images: How many images the step was trained on.
            seconds: How long its training took; 0 if it was reused.
            history: IoUs at earlier steps; those of the ledger before step ``k`` by default.
            extra: Further keys, such as ``reused_from``.

        Returns:
            The entry.
        """
        self.drop(k)
        if history is None:
            history = [entry['iou'] for entry in self.steps if entry['step'] < k]
        entry = dict(
            step=k,
            train_images=train_images,
            seconds=seconds,
            accuracy=metrics['accuracy'],
            iou=dict(metrics['iou']),
            forgetting=forgetting(history, metrics['iou'], old),
            **convention_means(metrics['iou'], self.base, self.added),
            **extra,
        )
        self.steps = sorted([*self.steps, entry], key=lambda each: each['step'])
        return entry

    def best_iou(
        self, k: int, known: dict[str, float], record: dict[str, Any] | None
    ) -> dict[str, float]:
        """Return each class's best IoU at any step before ``k``; forgetting is measured from it.

        Args:
            k: The step.
            known: Those that the previous step's network knows of.
            record: The metrics of the previous step; None where there are none.
        """
        best = dict(known)
        earlier = [entry['iou'] for entry in self.steps if entry['step'] < k]
        if record:
            earlier.append(record['iou'])
        for iou in earlier:
            for name, value in iou.items():
                if value is not None:
                    best[name] = max(value, best.get(name, value))
        return best

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``results.json``."""
        final = self.steps[-1]['mib'] if self.steps else None
        return dict(self.header, steps=self.steps, final=final)

    def class_table(self) -> str:
        """Return the table with the IoU of every class after every step, for a terminal."""
        return class_table(self.to_dict())

    def tables(self) -> str:
        """Return both tables below each other, as a run ends with them."""
        return f'{self.class_table()}\n{self.table()}'

    def table(self) -> str:
        """Return the table of base / added / all per step, for a terminal."""
        return results_table(self.to_dict())

    def write(self, work_dir: str | Path) -> None:
        """Write ``results.json`` and ``results.md``, each whole or not at all.

        Args:
            work_dir: The folder of both files.
        """
        content = self.to_dict()
        folder = Path(work_dir)
        write_json(folder / self.FILE, content)
        tables = (table(content, markdown=True) for table in (results_table, class_table))
        write_atomically(folder / 'results.md', '\n\n'.join(tables) + '\n')


def check_ledger(path: Path, content: dict[str, Any]) -> None:
    """Refuse a file with the keys but not the content of a ledger; name the first wrong key."""

    def expect(value: Any, kind: type, key: str, what: str) -> Any:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise expected(f'{path} is not a ledger: {key}', value, what)
        return value

    for key in ('config', 'method'):
        expect(content.get(key), str, key, 'text')
    expect(content.get('seed'), int, 'seed', 'an integer')
    protocol = expect(content.get('protocol'), dict, 'protocol', 'an object')
    for key in ('name', 'dataset', 'setting'):
        expect(protocol.get(key), str, f'protocol.{key}', 'text')
    for key, kind in (('steps', list), ('classes', str)):
        for item in expect(protocol.get(key), list, f'protocol.{key}', 'a list'):
            expect(item, kind, f'an item of protocol.{key}', f'a {kind.__name__}')
    for i, entry in enumerate(expect(content.get('steps'), list, 'steps', 'a list')):
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
                    raise expected(f'{path} is not a ledger: {where}.{column}', value, 'percent')
