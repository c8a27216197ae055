"""What may not stand in one row of a comparison: means over it would be numbers of nothing."""
from collections.abc import Sequence

from incseg.errors import InvalidInputError
from incseg.evaluation.row_titles import MISSING, differing
from incseg.evaluation.run_result import RunResult


def check_method(title: str, runs: Sequence[RunResult]) -> None:
    """Refuse a row with two methods, whatever the protocols are.

    Raises:
        InvalidInputError: Naming a ledger of each and the way out.
    """
    for run in runs:
        if run.method != runs[0].method:
            raise InvalidInputError(
                f'the row {title!r} has two methods: {runs[0].path} is of {runs[0].method}, '
                f'{run.path} of {run.method}; give each a row of its own, NAME=PATH')


def check_cell(title: str, runs: Sequence[RunResult]) -> None:
    """Refuse runs of one protocol that are not seeds of one thing.

    That is one seed twice, or two settings.  Runs whose settings are unknown
    are only asked for their seed.

    Args:
        title: The row.
        runs: Its runs of one protocol.

    Raises:
        InvalidInputError: Naming both ledgers, what is wrong, and the way out.
    """
    seeds: dict[int, RunResult] = {}
    for run in runs:
        before = seeds.setdefault(run.seed, run)
        if before is not run:
            raise InvalidInputError(
                f'{before.path} and {run.path} are both {title} on {" ".join(run.protocol[:3])} '
                f'with seed {run.seed}: leave one out, or give it a row of its own, '
                f'NAME={run.path}')
    known = [(run, run.settings) for run in runs if run.settings is not None]
    for run, settings in known[1:]:
        first, its = known[0]
        if different := sorted(differing([its, settings])):
            key = different[0]
            raise InvalidInputError(
                f'the row {title!r} has two settings on {" ".join(run.protocol[:3])}: {key} is '
                f'{its.get(key, MISSING)!r} in {first.path} and {settings.get(key, MISSING)!r} in '
                f'{run.path}; give each a row of its own, NAME=PATH')
