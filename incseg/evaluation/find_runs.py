"""From what the user names to the ledgers that are there."""
from collections.abc import Sequence
from pathlib import Path

from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.ledger import Ledger
from incseg.evaluation.run_result import RunResult
from incseg.evaluation.run_settings import CONFIG_FILE


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
                        f'and {name or before.method!r}')
            else:
                without[file.resolve()] = str(file.parent)
    return list(runs.values()), list(without.values())


def split_name(argument: str) -> tuple[str | None, Path]:
    """``NAME=PATH``, or a path, which may hold a ``=`` itself."""
    name, equals, path = argument.partition('=')
    if not equals or Path(argument).exists():
        return None, Path(argument)
    if not name.strip() or not path:
        raise InvalidInputError(f'{argument!r}: expected a path, or NAME=PATH')
    return name.strip(), Path(path)


def ledger_files(path: Path) -> list[Path]:
    """The ledgers of a path; one that is not there yet stands for a run without one.

    In a work dir ``results.json`` alone counts; elsewhere in a folder every
    ledger does, whatever its name is.
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
        file.parent for file in path.rglob(CONFIG_FILE) if (file.parent / 'step_0').is_dir()}
    kept = {file for file in path.rglob('*.json')
            if work_dirs.isdisjoint(file.parents) and is_ledger(file)}
    if not work_dirs and not kept:
        raise MissingFileError(f'no ledger ({Ledger.FILE}, or of another name) in {path} or below')
    return sorted(kept.union(folder / Ledger.FILE for folder in work_dirs))


def is_ledger(path: Path) -> bool:
    """Whether a JSON file of any name is, by its keys, a ledger."""
    try:
        Ledger.read_file(path)
    except InvalidInputError:
        return False
    return True
