from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from incseg.evaluation.comparison.plot import draw_curves
from incseg.evaluation.comparison.runs import find_runs
from incseg.evaluation.comparison.table import ComparisonTable
from incseg.evaluation.run_settings import CONFIG_FILE
from incseg.utils.files import write_atomically
from incseg.utils.outputs import check_outputs

NAME = 'comparison'


def compare(
    arguments: Sequence[str],
    out: str | Path,
    convention: str = 'mib',
    notes: Sequence[str] = (),
) -> str:
    """Write the table of several runs as text, Markdown and CSV, and the plot over steps.

    Args:
        arguments: Work dirs, folders of work dirs or ledgers, each possibly
            as ``NAME=PATH`` (see :func:`find_runs`).
        out: The folder for ``comparison.txt``, ``.md``, ``.csv`` and ``.png``, which are
            written anew.
        convention: Which IoUs are averaged: ``'mib'``, ``'plop'``, ``'wilson'``.
        notes: More lines below the table.

    Returns:
        Text for the user: the table and the paths of the files.

    Raises:
        UserError: If a ledger is missing or damaged or one of the files, no run is
            finished, or a row has one seed twice, two methods or two settings.
    """
    runs, without = find_runs(arguments)
    table = ComparisonTable(runs, convention, without)
    table.notes += notes
    folder = Path(out)
    check_outputs(
        [folder / f'{NAME}.{ending}' for ending in ('txt', 'md', 'csv', 'png')],
        [path for run in runs for path in (run.path, run.path.with_name(CONFIG_FILE))],
        own=True,
    )
    write_atomically(folder / f'{NAME}.txt', table.text() + '\n')
    write_atomically(folder / f'{NAME}.md', table.markdown() + '\n')
    write_atomically(folder / f'{NAME}.csv', table.csv())
    picture = folder / f'{NAME}.png'
    lines = [table.text(), f'written to {folder}/: {NAME}.txt, {NAME}.md, {NAME}.csv']
    if draw_curves(table, picture):
        lines[-1] += f', {NAME}.png'
    else:
        with suppress(OSError):  # one of earlier runs would contradict the table
            picture.unlink()
        lines.append('no plot: it needs matplotlib (python -m pip install matplotlib)')
    return '\n'.join(lines)
