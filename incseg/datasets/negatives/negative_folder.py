import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from incseg.datasets import image_lists
from incseg.registry import DATASETS


@DATASETS.register_module()
class NegativeFolder:
    """A folder of images that show none of a step's classes; see :class:`WeakDataset`.

    They should look like the other images in everything but the class:
    pictures of another kind would be told apart by that.

    Args:
        folder: images in it and in the folders below, in any number.
        img_suffix: ending of image files, or several.

    Raises:
        MissingFileError: there is no such folder, or no image in it.
    """

    def __init__(self, folder: str, img_suffix: str | Sequence[str] = ('.jpg', '.png')) -> None:
        suffixes = (img_suffix,) if isinstance(img_suffix, str) else tuple(img_suffix)
        ids = image_lists.ids_in_folder(folder, suffixes, 'name another folder in seam.negatives')
        self.paths = [
            next(
                path for suffix in suffixes if (path := Path(folder) / f'{name}{suffix}').is_file()
            )
            for name in ids
        ]

    def __len__(self) -> int:
        return len(self.paths)

    def file_states(self) -> list[tuple[str, int, int]]:
        """Name, size and modification time of each image, as those of a :class:`SegDataset`."""
        return [
            (path.name, (found := os.stat(path)).st_size, found.st_mtime_ns) for path in self.paths
        ]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """``image_id`` and ``img_path``, what a pipeline starts from."""
        path = self.paths[idx]
        return dict(image_id=f'negative_{path.stem}', img_path=str(path), seg_fields=[])
