"""Pictures as files."""
from pathlib import Path

import cv2
import numpy as np

from incseg.errors import InvalidInputError, SaveError


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture in the format that its name ends with; folders are made.

    Args:
        path: The file.
        picture: uint8 ``(H, W, 3)``, BGR.

    Raises:
        InvalidInputError: There is no format of that name.
        SaveError: The file cannot be written.
    """
    if not cv2.haveImageWriter(path.name):
        raise InvalidInputError(
            f"'{path}' has no ending of a picture that can be written, as .png or .jpg")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise SaveError(f"cannot write '{path}'")
