import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from incseg.datasets import folder_files, image_lists
from incseg.datasets.folders.held_out import held_out
from incseg.registry import DATASETS
from incseg.utils.file_digests import file_digests


@DATASETS.register_module()
class NegativeFolder:
    """A folder of images that show none of the classes that a step learns.

    :class:`WeakDataset` adds them to the step's images.  They should differ from those
    only in the class.  A network recognises pictures of another kind by their kind and
    does not learn the class.

    Args:
        folder: Folder of the images; images in its subfolders count too.
        img_suffix: Ending of image files, or several endings.
        follow_links: Whether links in the folder may lead out of it.
        share: Share of the images that is left out, to test on, see
            :func:`~incseg.datasets.folders.held_out.held_out`; None for none.

    Raises:
        MissingFileError: There is no such folder, or it has no image.
        InvalidInputError: A link leads out of the folder.
    """

    def __init__(
        self,
        folder: str,
        img_suffix: str | Sequence[str] = ('.jpg', '.jpeg', '.png'),
        follow_links: bool = False,
        share: float | None = None,
    ) -> None:
        suffixes = (img_suffix,) if isinstance(img_suffix, str) else tuple(img_suffix)
        ids = image_lists.ids_in_folder(
            folder, suffixes, 'name another folder in seam.negatives', follow=follow_links
        )
        files = folder_files.file_of_id(
            folder_files.files_below(Path(folder), follow=follow_links), suffixes
        )
        self.paths = [Path(folder, files[name]) for name in ids]
        if share is not None:
            out = held_out(file_digests([str(path) for path in self.paths]), share)
            self.paths = [path for path, left in zip(self.paths, out) if not left]

    def __len__(self) -> int:
        return len(self.paths)

    def file_states(self) -> list[tuple[str, int, int]]:
        """Return (name, size in bytes, modification time in ns) of each image file."""
        return [
            (path.name, (state := os.stat(path)).st_size, state.st_mtime_ns) for path in self.paths
        ]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return the input of a pipeline for one image.

        Args:
            idx: Index of the image.

        Returns:
            A dict of ``image_id`` (``negative_<name>``), ``img_path`` and an empty list
            ``seg_fields``.
        """
        path = self.paths[idx]
        return dict(image_id=f'negative_{path.stem}', img_path=str(path), seg_fields=[])
