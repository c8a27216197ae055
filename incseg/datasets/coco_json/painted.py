"""Label maps that are painted from a JSON file in COCO's form, kept in the cache."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from incseg.constants import VOID
from incseg.datasets.coco_json.instances import category_map, mask_names, read_coco_json
from incseg.datasets.label_maps.label_file import write_label_file
from incseg.utils.file_digests import cache_folder, digest_of
from incseg.utils.progress import Progress
from incseg.utils.rules import any_of, expected

#: from so many masks on, a line tells of the progress
MANY = 200


class PaintedMasks:
    """The label maps of the images of one JSON file.

    They are painted once, into a folder of :func:`cache_folder` that is named by the content
    of the file and by the classes.

    Args:
        path: The JSON file.
        images: The folder of its pictures.
        categories: For each class, in order, its category: a name, or a category's id.  The
            first class gets the id 1 in the label maps, and so on; ``'background'`` gets 0.
        void: Categories whose pixels become void, in the same way.
        how_to_get: Ends the message about a missing file.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It is not in COCO's form, or a category is not in it, or objects
            have a category that nobody named.

    Attributes:
        names: Of each image, the path of its picture below ``images``.
        folder: Where the label maps lie, with the names of the pictures and ``.png``.
    """

    def __init__(
        self,
        path: Path,
        images: Path,
        categories: Mapping[str, Any],
        void: Sequence[Any] = (),
        how_to_get: str = 'name another file in masks',
    ) -> None:
        self.path, self.images = path, images
        self.content = read_coco_json(path, how_to_get)
        self.ids = self._ids(categories, void)
        self._masks = mask_names(self.content['images'], images, path)
        self.names = [
            str(Path(mask).with_suffix(Path(image['file_name']).suffix))
            for image, mask in zip(self.content['images'], self._masks, strict=True)
        ]
        key = hashlib.sha256(digest_of(path) + repr(sorted(self.ids.items())).encode())
        self.folder = cache_folder('coco_masks') / key.hexdigest()[:32]

    def paint(self) -> None:
        """Write the label maps that are not there yet, each whole or not at all.

        Raises:
            InvalidInputError: An object cannot be drawn.
            SaveError: A label map cannot be written.
        """
        lacking = [
            (image, self.folder / name)
            for image, name in zip(self.content['images'], self._masks, strict=True)
            if not (self.folder / name).exists()
        ]
        objects: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        for each in self.content['annotations']:
            ours = dict(each, category_id=self.ids[each['category_id']])
            objects[each['image_id']].append(ours)
        total = len(lacking)
        with closing(Progress(total, f'masks of {self.path.name}', total >= MANY)) as bar:
            for image, target in lacking:
                size = image['height'], image['width']
                write_label_file(target, category_map(objects[image['id']], *size, self.path))
                bar.update(1)

    def _ids(self, categories: Mapping[str, Any], void: Sequence[Any]) -> dict[int, int]:
        """Return the id in the label maps of each category's id."""
        ids = {}
        places = [name for name in categories if name != 'background']
        for name, category in categories.items():
            for found in self._categories(category, f'ids[{name!r}]'):
                ids[found] = 0 if name == 'background' else places.index(name) + 1
        for category in void:
            ids |= dict.fromkeys(self._categories(category, "ids['void']"), VOID)
        names = {each['id']: each['name'] for each in self.content['categories']}
        count = Counter(each['category_id'] for each in self.content['annotations'])
        foreign = [category for category in count if category not in ids]
        if foreign:
            shown = ', '.join(f'{names.get(i, i)!r} ({count[i]} objects)' for i in foreign[:5])
            raise expected(
                f"a category in '{self.path}'",
                [names.get(i, i) for i in foreign],
                f'{any_of(categories)}; name each of them in ids: {shown}',
            )
        return ids

    def _categories(self, wanted: Any, key: str) -> list[int]:
        """Return the ids of the categories of a name, or of an id."""
        known = {each['id']: each['name'] for each in self.content['categories']}
        found = [i for i, name in known.items() if wanted in (i, name)]
        if not found:
            raise expected(key, wanted, f"a category of '{self.path}': {any_of(known.values())}")
        return found
