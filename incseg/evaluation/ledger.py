import json
from pathlib import Path
from typing import Any

from incseg.errors import InvalidInputError
from incseg.evaluation.conventions import convention_means, forgetting
from incseg.evaluation.report import class_table, results_table
from incseg.utils.files import write_atomically


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
        """Read the ledger of a work dir; None if there is none.

        Raises:
            InvalidInputError: As :meth:`read_file`.
        """
        path = Path(work_dir) / cls.FILE
        return cls.read_file(path) if path.is_file() else None

    @staticmethod
    def read_file(path: Path) -> dict[str, Any]:
        """Read a ledger from its file.

        Raises:
            InvalidInputError: If it cannot be read, is damaged or something else.
        """
        try:
            content = json.loads(path.read_text(), parse_constant=no_constant)
        except OSError as error:
            raise InvalidInputError(f'{path} cannot be read: {error.strerror or error}') from error
        except ValueError as error:
            raise InvalidInputError(f'{path} is not a ledger: {error}') from error
        keys = ('config', 'method', 'seed', 'protocol', 'steps')
        if not isinstance(content, dict) or any(key not in content for key in keys):
            raise InvalidInputError(f'{path} is not a ledger: expected the keys {list(keys)}')
        return content

    def step(self, k: int) -> dict[str, Any] | None:
        """Return the entry of step ``k``, or None."""
        return next((entry for entry in self.steps if entry['step'] == k), None)

    def drop_from(self, k: int) -> None:
        """Remove the entries of step ``k`` and later."""
        self.steps = [entry for entry in self.steps if entry['step'] < k]

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
        """Append the entry of step ``k``.

        Args:
            k: The step.
            metrics: ``{'iou', 'accuracy'}`` of :class:`ConfusionMetric`.
            old: Names of the classes learned before step ``k``.
            train_images: How many images the step was trained on.
            seconds: How long its training took; 0 if it was reused.
            history: IoUs at earlier steps; those of the ledger by default.
            extra: Further keys, such as ``reused_from``.

        Returns:
            The entry.
        """
        self.drop_from(k)
        if history is None:
            history = [entry['iou'] for entry in self.steps]
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
        self.steps.append(entry)
        return entry

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``results.json``."""
        final = self.steps[-1]['mib'] if self.steps else None
        return dict(self.header, steps=self.steps, final=final)

    def class_table(self) -> str:
        """Return a table with the IoU of every class at the last step."""
        return class_table(self.steps[-1])

    def table(self) -> str:
        """Return the table of base / added / all per step, for a terminal."""
        return results_table(self.to_dict())

    def write(self, work_dir: str | Path) -> None:
        """Write ``results.json`` and ``results.md``."""
        content = self.to_dict()
        folder = Path(work_dir)
        write_atomically(folder / self.FILE, json.dumps(content, indent=1, allow_nan=False) + '\n')
        write_atomically(folder / 'results.md', results_table(content, markdown=True) + '\n')


def no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads although JSON has neither."""
    raise ValueError(f'{name} is no number of JSON')
