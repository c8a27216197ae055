import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incseg.datasets.coco_classes import COCO_CATEGORIES
from incseg.errors import InvalidInputError, MissingFileError

#: what is read of each entry
FIELDS: dict[str, dict[str, type]] = {
    'images': dict(id=int, file_name=str, height=int, width=int),
    'annotations': dict(image_id=int, category_id=int),
    'categories': dict(id=int, name=str),
}


def read_instances(path: Path, how_to_get: str) -> dict[str, Any]:
    """COCO's instance annotations.

    Args:
        path: ``instances_*.json``.
        how_to_get: Ends the message if it is missing.

    Returns:
        Its content, whose ``images``, ``annotations`` and ``categories`` have
        what :data:`FIELDS` says, with no other category than COCO's 80.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It cannot be read, is not as described, or its
            category ids mean something else.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise MissingFileError(f"'{path}' does not exist; {how_to_get}") from error
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"'{path}' cannot be read as JSON ({error})") from error
    for key, fields in FIELDS.items():
        entries = content.get(key) if isinstance(content, Mapping) else None
        if not isinstance(entries, list):
            raise InvalidInputError(
                f"'{path}' has no list {key!r}: it is not one of COCO's instances_*.json")
        for entry in entries:
            for field, kind in fields.items():
                if not isinstance(entry, Mapping) or not isinstance(entry.get(field), kind):
                    raise InvalidInputError(
                        f"'{path}' has {entry!r:.80} in {key!r}; expected {field!r}, "
                        f'{kind.__name__}')
    named = {entry['id']: entry['name'] for entry in content['categories']}
    for category in sorted({entry['category_id'] for entry in content['annotations']}):
        if category not in COCO_CATEGORIES or named.get(category) != COCO_CATEGORIES[category]:
            raise InvalidInputError(
                f"'{path}' annotates category {category} ({named.get(category)!r}); allowed are "
                "COCO's 80, 1 (person) to 90 (toothbrush)")
    return content
