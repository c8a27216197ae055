"""What the files beside pseudo-labels say of them: their data set, step and images."""
import json
from typing import Any

from incseg.datasets import PseudoLabelFiles
from incseg.errors import InvalidInputError


def check_classes(files: PseudoLabelFiles, dataset: Any) -> None:
    """Refuse pseudo-labels whose ids are other classes in a data set.

    Raises:
        InvalidInputError: they are; names both data sets and the first such class.
        MissingFileError: there is no ``meta.json``.
    """
    meta = files.read_meta()
    names = dataset.metainfo['classes']
    for i, name in zip(meta['ids'], meta.get('classes', [])):
        there = names[i] if i < len(names) else None
        if name != there:
            raise InvalidInputError(
                f"the pseudo-labels in '{files.folder}' are of the data set "
                f'{meta.get("dataset", "unknown")}, where {i} is {name}; in the '
                f'{type(dataset).__name__} of the config it is {there or "no class"}: take a '
                'config of their data set')


def new_ids(meta: dict[str, Any]) -> list[int]:
    """Which of the labels' dataset ids are new in their step; all where that is not said."""
    steps, step = (meta.get('protocol') or {}).get('steps'), meta.get('step')
    if steps is None or step is None:
        return list(meta['ids'])
    return [i for i in meta['ids'] if i in steps[step]]


def count_made(files: PseudoLabelFiles, dataset: Any) -> tuple[int, int]:
    """How many of a data set's images have a label map, and how many the labels are to have.

    Both are equal where no ``image_labels.json`` says which images belong to the step.

    Raises:
        InvalidInputError: that file is damaged.
    """
    made = {name for name in dataset.image_ids if files.label_path(name).is_file()}
    path = files.folder / 'image_labels.json'
    if not path.is_file():
        return len(made), len(made)
    try:
        listed = set(json.loads(path.read_text(encoding='utf-8')))
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInputError(f"'{path}' cannot be read ({error})") from error
    wanted = listed & set(dataset.image_ids)
    return len(wanted & made), len(wanted)
