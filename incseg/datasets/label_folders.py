"""Where below a folder the pseudo-labels of steps lie."""
from pathlib import Path

DEEPEST = 2


def label_folders(folder: Path) -> list[str]:
    """``<protocol>/<step>`` of the folders below that have a ``meta.json``, sorted.

    In the folder of a protocol it is ``<step>``.
    """
    found = [path.parent.relative_to(folder) for depth in range(1, DEEPEST + 1)
             for path in folder.glob('/'.join(['*'] * depth + ['meta.json']))]
    return sorted(path.as_posix() for path in found)


def no_labels(folder: Path) -> str:
    """The message for a folder without ``meta.json``: what is expected, and what is there."""
    message = f"no pseudo-labels in '{folder}': "
    if not folder.is_dir():
        return (f'{message}there is no such folder; expected is <root>/<protocol>/<step>, which '
                'holds meta.json')
    message += 'it has no meta.json; expected is <root>/<protocol>/<step>'
    found = label_folders(folder)
    if found:
        return f"{message}, here one of '{folder}/' + {', '.join(found)}"
    above = next((path for path in folder.parents[:2] if (path / 'meta.json').is_file()), None)
    return f"{message}, here '{above}'" if above else f'{message}, and below it lie no labels'
