"""Files of annotations below a folder, with the split in their names."""

import os
import re
from pathlib import Path
from typing import TypeAlias

from incseg.datasets.folders.names import split_of
from incseg.errors import MissingFileError
from incseg.utils.rules import any_of

#: template of a folder -> split ('' without one) -> folders below it that have pictures
Places: TypeAlias = dict[str, dict[str, list[str]]]
#: files that are looked into
_MOST = 100


def json_files(root: str, names: set[str]) -> Places:
    """Return the JSON files that may be in COCO's form, by template and split.

    Args:
        root: The folder.
        names: All files below it.
    """
    found: Places = {}
    for name in sorted(name for name in names if name.endswith('.json'))[:_MOST]:
        content = Path(root, name).read_bytes()
        if not all(f'"{key}"'.encode() in content for key in ('images', 'annotations')):
            continue
        folder, file = os.path.split(name)
        *parts, stem = *filter(None, folder.split('/')), file[: -len('.json')]
        splits = [split_of(part) for part in (*parts, stem)]
        at = next((i for i in reversed(range(len(splits))) if splits[i]), None)
        whole = [*parts, stem]
        if at is not None:
            whole[at] = whole[at].replace(splits[at] or '', '{split}', 1)
        split = '' if at is None else splits[at] or ''
        found.setdefault('/'.join(whole) + '.json', {})[split] = [name]
    instances = {each: place for each, place in found.items() if 'instances' in each}
    return instances or found


def named_json(root: str, template: str, names: set[str]) -> dict[str, list[str]]:
    """Return the JSON files of a name, which may have ``{split}``, by split.

    Raises:
        MissingFileError: There is none.
    """
    form = re.escape(template).replace(re.escape('{split}'), '(.+)')
    matches = [match for name in sorted(names) if (match := re.fullmatch(form, name))]
    if not matches:
        there = [name for name in sorted(names) if name.endswith('.json')]
        raise MissingFileError(
            f'masks is {template!r}, but {root!r} has no such file, expected {any_of(there)}'
        )
    return {match[1] if '{split}' in template else '': [match[0]] for match in matches}
