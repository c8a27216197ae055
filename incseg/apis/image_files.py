"""The images that an :class:`Inferencer` is given, and the files of its painted ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.outputs import free_names

Image = str | Path | np.ndarray

SUFFIXES = {'.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.pgm', '.ppm'}


def painted_files(images: Sequence[Image], folder: Path) -> list[Path]:
    """Return the path of each image's painted copy, a PNG; no two paths are the same.

    Args:
        images: Paths or arrays; an array's file is named by its number.
        folder: The folder of the painted images.
    """
    names = [
        f'{number:06d}' if isinstance(image, np.ndarray) else Path(image).stem
        for number, image in enumerate(images)
    ]  # a.jpg and a.png, or the same name in two folders, are told apart
    return [folder / f'{name}.png' for name in free_names(names)]


def list_images(images: Image | Sequence[Image]) -> list[Image]:
    """Return the images of a path, a folder or an array as a list.

    Raises:
        MissingFileError: There is no file and no folder of that name.
        InvalidInputError: The folder holds no image.
    """
    if isinstance(images, np.ndarray):
        return [images]
    if not isinstance(images, (str, Path)):
        return list(images)
    path = Path(images)
    if path.is_dir():
        files: list[Image] = [p for p in sorted(path.iterdir()) if p.suffix.lower() in SUFFIXES]
        if not files:
            raise InvalidInputError(f'folder {path} holds no image ({sorted(SUFFIXES)})')
        return files
    if not path.is_file():
        raise MissingFileError(f'no image and no folder at {path}')
    return [path]
