"""Tables of one run: base, added and all mIoU per step, IoU per class."""

from collections.abc import Sequence
from typing import Any

from terminaltables import AsciiTable, GithubFlavoredMarkdownTable


def number(value: float | None) -> str:
    """Format a number with one decimal, None as a dash."""
    return '-' if value is None else f'{value:.1f}'


def results_table(ledger: dict[str, Any], markdown: bool = False) -> str:
    """Return the table of a ledger, one row per step.

    Its columns are the step, its new classes, base / added / all mIoU without
    background (``mib``), the values of the other conventions that differ,
    accuracy and forgetting, all in percent.

    Args:
        ledger: The content of ``results.json``.
        markdown: Whether the table is Markdown, else text for a terminal.
    """
    rows: list[Sequence[str]] = [
        [
            'step',
            'new classes',
            'base',
            'added',
            'all',
            'base (plop)',
            'all (plop, wilson)',
            'accuracy',
            'forgetting',
        ]
    ]
    protocol = ledger['protocol']
    for entry in ledger['steps']:
        old = sum(len(classes) for classes in protocol['steps'][: entry['step']])
        new = list(entry['iou'])[1 + old :]
        rows.append(
            [
                str(entry['step']),
                summary(new),
                *[number(entry['mib'][column]) for column in ('base', 'added', 'all')],
                number(entry['plop']['base']),
                number(entry['plop']['all']),
                number(entry['accuracy']),
                number(entry['forgetting']),
            ]
        )
    title = (
        f'{ledger["method"]} on {protocol["dataset"]} {protocol["name"]} '
        f'{protocol["setting"]}: mIoU, %'
    )
    if markdown:
        return f'{title}\n\n{GithubFlavoredMarkdownTable(rows).table}'
    table = AsciiTable(rows)
    for column in range(2, len(rows[0])):
        table.justify_columns[column] = 'right'
    return f'{title}\n{table.table}'


def class_table(entry: dict[str, Any]) -> str:
    """Return a table, for a terminal, with the IoU of every class at one step.

    Args:
        entry: An entry of the ledger's ``steps``.
    """
    rows = [['class', 'IoU']] + [[name, number(iou)] for name, iou in entry['iou'].items()]
    table = AsciiTable(rows)
    table.justify_columns[1] = 'right'
    return table.table


def summary(names: Sequence[str], most: int = 3) -> str:
    """Return some names as text: all of up to ``most``, else ``first … last (count)``."""
    if len(names) <= most:
        return ', '.join(names)
    return f'{names[0]} … {names[-1]} ({len(names)})'
