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


#: a class that is seen on more than this percent of the pixels elsewhere is worth a warning
ELSEWHERE = 1.0


def class_table(ledger: dict[str, Any], markdown: bool = False) -> str:
    """Return the table with the IoU of every class, one row per class, one column per step.

    In an open protocol it also says on which test images a class is scored, and on how many
    percent of the pixels elsewhere it is predicted after the last step.

    Args:
        ledger: The content of ``results.json``.
        markdown: Whether the table is Markdown, else text for a terminal.
    """
    entries = ledger['steps']
    names = dict.fromkeys(name for entry in entries for name in entry['iou'])
    rows = [['class', *(f'step {entry["step"]}' for entry in entries)]] + [
        [name, *(number(entry['iou'].get(name)) for entry in entries)] for name in names
    ]
    homes = ledger['protocol'].get('homes')
    if homes is None:
        return _titled('IoU of each class after each step, %', rows, 1, markdown)
    for row, name in zip(rows[1:], names, strict=True):
        elsewhere = (entries[-1].get('elsewhere') or {}).get(name)
        row.insert(1, tested_on(entries[-1], homes.get(name)))
        row.append('-' if elsewhere is None else f'{elsewhere:.1f} %')
    rows[0] = ['class', 'test images', *rows[0][1:], 'elsewhere']
    title = 'IoU of each class after each step, %, each on its own test images'
    return _titled(title, rows, 2, markdown) + ''.join(f'\n{line}' for line in warnings(ledger))


def tested_on(entry: dict[str, Any], home: str | None) -> str:
    """Return the test images of a class as text: ``'horse, 40'``, or ``'none'``.

    Args:
        entry: A step's entry of an open protocol's ledger.
        home: The name of the source on which the class is scored; None for none.
    """
    images = (entry.get('tests') or {}).get(home)
    return 'none' if home is None else home if images is None else f'{home}, {images}'


def warnings(ledger: dict[str, Any]) -> list[str]:
    """Return a line for each class that floods test images which do not annotate it.

    Args:
        ledger: The content of ``results.json`` of an open protocol.
    """
    now, *before = [entry.get('elsewhere') or {} for entry in reversed(ledger['steps'])]
    lines = []
    for name, value in now.items():
        if value is not None and value > ELSEWHERE:
            last = (before[0] if before else {}).get(name)
            then = '' if last is None else f'; before: {number(last)} %'
            lines.append(
                f'warning  {name}: {number(value)} % of the pixels of test images that do not '
                f'annotate it{then}'
            )
    return lines


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
