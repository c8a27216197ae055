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
    network = f' with {ledger["model"]}' if 'model' in ledger else ''
    title = (
        f'{ledger["method"]}{network} on {protocol["dataset"]} {protocol["name"]} '
        f'{protocol["setting"]}: mIoU, %' + (f'; {ledger["test"]}' if 'test' in ledger else '')
    )
    return _titled(title, rows, 2, markdown)


def class_table(ledger: dict[str, Any], markdown: bool = False) -> str:
    """Return the table with the IoU of every class, one row per class, one column per step.

    Args:
        ledger: The content of ``results.json``.
        markdown: Whether the table is Markdown, else text for a terminal.
    """
    entries = ledger['steps']
    names = dict.fromkeys(name for entry in entries for name in entry['iou'])
    rows = [['class', *(f'step {entry["step"]}' for entry in entries)]] + [
        [name, *(number(entry['iou'].get(name)) for entry in entries)] for name in names
    ]
    return _titled('IoU of each class after each step, %', rows, 1, markdown)


def _titled(title: str, rows: list[Sequence[str]], numbers: int, markdown: bool) -> str:
    """Return a table below its title; its columns from ``numbers`` on are right-aligned."""
    if markdown:
        return f'{title}\n\n{GithubFlavoredMarkdownTable(rows).table}'
    table = AsciiTable(rows)
    for column in range(numbers, len(rows[0])):
        table.justify_columns[column] = 'right'
    return f'{title}\n{table.table}'


def summary(names: Sequence[str], most: int = 3) -> str:
    """Return some names as text: all of up to ``most``, else ``first … last (count)``."""
    if len(names) <= most:
        return ', '.join(names)
    return f'{names[0]} … {names[-1]} ({len(names)})'
