import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from terminaltables import AsciiTable, GithubFlavoredMarkdownTable

from incseg.errors import InvalidInputError
from incseg.evaluation.comparison.rows import (
    check_cell,
    check_method,
    other_settings,
    row_rank,
    row_titles,
)
from incseg.evaluation.comparison.runs import ProtocolKey, RunResult
from incseg.evaluation.conventions import CONVENTIONS
from incseg.evaluation.ledger import COLUMNS
from incseg.evaluation.report import number
from incseg.evaluation.run_settings import CONFIG_FILE
from incseg.utils.rules import any_of, expected


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1) of a result over seeds.

    Attributes:
        mean: None without a value.
        std: None with less than two values.
        n: Number of values.
    """

    mean: float | None
    std: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> 'Spread':
        """Compute the spread of the values that are not None."""
        known = [value for value in values if value is not None]
        return cls(
            fmean(known) if known else None, stdev(known) if len(known) > 1 else None, len(known)
        )

    def __str__(self) -> str:
        return number(self.mean) + ('' if self.std is None else f' ± {self.std:.1f}')


class ComparisonTable:
    """A table of methods by protocols: base, added and all mIoU after the last step.

    Unfinished runs enter no number; the notes name them.

    Args:
        runs: Ledgers of any methods, protocols and seeds.
        convention: ``'mib'``, ``'plop'`` or ``'wilson'``.
        without: Work dirs that have no ledger yet; the notes name them.

    Attributes:
        rows: Titles of the rows, in order.
        protocols: Keys of the groups of columns, in order.
        cells: The runs of each row and protocol, ordered by seed.
        notes: Remarks for the reader, one line each.

    Raises:
        InvalidInputError: If the convention is unknown, no run is finished,
            or a row has one seed twice, two methods, or two settings on one
            protocol.
    """

    def __init__(
        self, runs: Sequence[RunResult], convention: str = 'mib', without: Sequence[str] = ()
    ):
        if convention not in CONVENTIONS:
            raise expected('convention', convention, any_of(sorted(CONVENTIONS)))
        self.convention = convention
        finished = [run for run in runs if run.finished]
        self.left_out = [
            *(f'{run.path} ({run.progress})' for run in runs if not run.finished),
            *(f'{path} (no step finished)' for path in without),
        ]
        if not finished:
            raise InvalidInputError(
                'no run is finished: ' + (', '.join(self.left_out) or 'there is none')
            )
        self.cells: dict[tuple[str, ProtocolKey], list[RunResult]] = {}
        ranks: dict[str, tuple] = {}
        for run, title in zip(finished, row_titles(finished)):
            self.cells.setdefault((title, run.protocol), []).append(run)
            ranks[title] = min(
                ranks.get(title, row_rank(run.method, title)), row_rank(run.method, title)
            )
        for title in ranks:
            check_method(title, self._members(title))
        for (title, _), members in self.cells.items():
            check_cell(title, members)
            members.sort(key=lambda run: run.seed)
        self.rows = sorted(ranks, key=lambda title: ranks[title])
        shape = {
            run.protocol: [len(step) for step in run.content['protocol']['steps']]
            for run in finished
        }
        self.protocols = sorted(
            shape, key=lambda key: (key[0], -shape[key][0], len(shape[key]), *key[1:])
        )
        self.notes = [f'Left out, not finished: {line}' for line in self.left_out]
        for key in self.protocols:
            if len(self.protocols) > 1 and self._same_name(key) > 1:
                self.notes.append(f'{self.label(key)}: {", ".join(key[3][1:])}')
            column = {row: self.cells[row, key] for row in self.rows if (row, key) in self.cells}
            self.notes += [f'{self.label(key)}: {line}' for line in other_settings(column)]

        self.notes += self._unknown_settings()

    def _members(self, row: str) -> list[RunResult]:
        return [run for (title, _), runs in self.cells.items() if title == row for run in runs]

    def _unknown_settings(self) -> list[str]:
        rows = [row for row in self.rows if any(run.settings is None for run in self._members(row))]
        if not rows:
            return []
        which = 'of all rows' if rows == self.rows else f'of {", ".join(rows)}'
        return [
            f'Settings {which} are unknown, no {CONFIG_FILE} is next to their ledgers: epochs, '
            'learning rate and all else may differ'
        ]

    def _same_name(self, key: ProtocolKey) -> int:
        return sum(other[:3] == key[:3] for other in self.protocols)

    def label(self, key: ProtocolKey) -> str:
        """Return the heading of a protocol: data set and name.

        Setting and class order are added where several protocols of the table differ in them.
        """
        label = f'{key[0]} {key[1]}'
        if len({other[2] for other in self.protocols}) > 1:
            label += f' {key[2]}'
        if self._same_name(key) > 1:
            orders = [other for other in self.protocols if other[:3] == key[:3]]
            label += f' order {1 + orders.index(key)}'
        return label

    def spread(self, row: str, key: ProtocolKey, column: str) -> Spread:
        """Return the spread over the seeds of a mIoU after the last step, in percent.

        Args:
            row: Title of the row.
            key: The protocol.
            column: ``'base'``, ``'added'`` or ``'all'``.
        """
        return Spread.of(
            [run.final(self.convention, column) for run in self.cells.get((row, key), ())]
        )

    def curve(self, row: str, key: ProtocolKey) -> list[Spread]:
        """Return the spread of the ``all`` mIoU after each step, in percent.

        Args:
            row: Title of the row.
            key: The protocol; without a run of it the list is empty.
        """
        runs = [run.over_steps(self.convention) for run in self.cells.get((row, key), ())]
        return [Spread.of(values) for values in zip(*runs)]

    @property
    def title(self) -> str:
        """The heading of the table: setting, quantity, convention and spread."""
        settings = {key[2] for key in self.protocols}
        setting = f'{settings.pop()}: ' if len(settings) == 1 else ''
        several = any(len(runs) > 1 for runs in self.cells.values())
        spread = ', mean ± sample standard deviation over seeds' if several else ''
        return f'{setting}mIoU after the last step (convention {self.convention}), %{spread}'

    def _body(self) -> list[list[str]]:
        body = []
        for row in self.rows:
            line = [row]
            for key in self.protocols:
                seeds = len(self.cells.get((row, key), ()))
                line += [str(self.spread(row, key, column)) for column in COLUMNS]
                line.append(str(seeds or '-'))
            body.append(line)
        return body

    def text(self) -> str:
        """Return the table for a terminal, with title and notes."""
        heads = ['method']
        for key in self.protocols:
            heads += [f'{self.label(key)}\nbase', '\nadded', '\nall', '\nseeds']
        table = AsciiTable([heads, *self._body()])
        for column in range(1, len(heads)):
            table.justify_columns[column] = 'right'
        return '\n'.join([self.title, table.table, *self.notes])

    def markdown(self) -> str:
        """Return the table in Markdown, with title and notes."""
        heads = ['method'] + [
            f'{self.label(key)} {column}'
            for key in self.protocols
            for column in (*COLUMNS, 'seeds')
        ]
        table = GithubFlavoredMarkdownTable([heads, *self._body()])
        for column in range(1, len(heads)):
            table.justify_columns[column] = 'right'
        return '\n\n'.join([self.title, table.table, *(f'- {note}' for note in self.notes)])

    def csv(self) -> str:
        """Return the table as CSV, with a line per method and protocol.

        Numbers are full floats in percent; a field without a value is empty.
        """
        file = io.StringIO()
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(
            [
                'method',
                'dataset',
                'protocol',
                'setting',
                'classes',
                'convention',
                'seeds',
                *(f'{column}_{part}' for column in COLUMNS for part in ('mean', 'std', 'n')),
            ]
        )
        for row in self.rows:
            for key in self.protocols:
                if (row, key) in self.cells:
                    spreads = [self.spread(row, key, column) for column in COLUMNS]
                    writer.writerow(
                        [
                            row,
                            *key[:3],
                            ';'.join(key[3]),
                            self.convention,
                            ' '.join(str(run.seed) for run in self.cells[row, key]),
                            *(value for s in spreads for value in (s.mean, s.std, s.n)),
                        ]
                    )
        return file.getvalue()
