"""Pictures: class colours over an image, and writing to a file."""

from pathlib import Path

import cv2
import numpy as np

from incseg.errors import InvalidInputError, SaveError


def paint(
    image: np.ndarray, labels: np.ndarray, palette: list[list[int]], opacity: float = 0.5
) -> np.ndarray:
    """Blend the classes' colours into an image.

    Args:
        image: BGR uint8 ``(H, W, 3)``; resized if the labels have another size.
        labels: Train ids, uint8 ``(h, w)``; pixels of ids without a colour (void) stay as
            they are.
        palette: ``[r, g, b]`` per train id.
        opacity: Weight of the colours, 0 to 1.

    Returns:
        BGR uint8 ``(h, w, 3)``.
    """
    if image.shape[:2] != labels.shape:
        image = cv2.resize(image, labels.shape[::-1], interpolation=cv2.INTER_LINEAR)
    colours = np.zeros((256, 3), np.float32)
    colours[: len(palette)] = np.asarray(palette, np.float32)[:, ::-1]
    strength = np.zeros(256, np.float32)
    strength[: len(palette)] = opacity
    weight = strength[labels][..., None]
    return (image * (1 - weight) + colours[labels] * weight + 0.5).astype(np.uint8)


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture in the format of its file name's ending; folders are created.

    Args:
        path: The file.
        picture: uint8 ``(H, W, 3)``, BGR.

    Raises:
        InvalidInputError: No format has that ending.
        SaveError: The file cannot be written.
    """
    if not cv2.haveImageWriter(path.name):
        raise InvalidInputError(
            f"'{path}' has no ending of a picture that can be written, as .png or .jpg"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise SaveError(f"cannot write '{path}'")
