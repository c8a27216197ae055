from collections.abc import Mapping, Sequence
from typing import Any

from incseg.evaluation.row_titles import MISSING, differing
from incseg.evaluation.run_result import RunResult

#: most settings that are spelled out
MOST = 6


def other_settings(rows: Mapping[str, Sequence[RunResult]]) -> list[str]:
    """What rows of one protocol differ in besides the method, one line a setting.

    A method that was trained for longer, or on larger images, is not compared
    on equal terms; the table says so.  Runs without a config beside them
    cannot be judged.

    Args:
        rows: Row title -> its runs, each trained with the same settings.

    Returns:
        Lines such as ``'epochs differs: 16 (joint); [10, 3] (ft, mib)'``.
    """
    settings = {title: {key: value for key, value in runs[0].settings.items()
                        if not key.startswith(('method.', 'custom_hooks'))}
                for title, runs in rows.items() if runs[0].settings is not None}
    if not settings:
        return []
    keys = sorted(differing(list(settings.values())))
    lines = []
    for key in keys[:MOST]:
        groups: dict[str, list[str]] = {}
        for title, values in settings.items():
            groups.setdefault(shown(values.get(key, MISSING)), []).append(title)
        told = '; '.join(f'{value} ({", ".join(titles)})' for value, titles in groups.items())
        lines.append(f'{key} differs: {told}')
    if keys[MOST:]:
        lines.append(f'{len(keys) - MOST} more settings differ: {", ".join(keys[MOST:])}')
    return lines


def shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f'{text[:37]}…'
