"""The pixels of one object of COCO, from its polygons or its run-length code."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from incseg.errors import InvalidInputError
from incseg.utils.rules import LONGEST, is_number

#: pycocotools draws outlines at five times the size and keeps every point of them
_FINER = 5
_MOST_POINTS = 1 << 27


def object_pixels(
    annotation: Mapping[str, Any], height: int, width: int, source: str | Path
) -> np.ndarray:
    """Return the pixels of one object, drawn from its polygons or run-length code.

    Args:
        annotation: COCO's annotation of the object; its ``segmentation`` is read.
        height, width: Size of the image in pixels.
        source: File of the annotation, for errors.

    Returns:
        Bool ``(height, width)``.

    Raises:
        InvalidInputError: The ``segmentation`` has another form or another size, has numbers
            that are not finite, or lies outside of the image.

    Warns:
        UserWarning: A polygon has fewer than three points: it covers nothing.
    """
    outline = annotation.get('segmentation')
    size = outline.get('size') if isinstance(outline, Mapping) else None
    if isinstance(size, list | tuple) and list(size) != [height, width]:
        raise InvalidInputError(
            f"'{source}': annotation {annotation.get('id')!r} is of an image of "
            f'{" x ".join(map(repr, size))} pixels; its image has {height} x {width}'
        )
    try:
        if isinstance(outline, Mapping):
            return _from_code(outline, height, width)
        if not isinstance(outline, Sequence) or isinstance(outline, str) or not outline:
            raise ValueError(f'it is {outline!r}')
        polygons = [_checked(polygon, height, width) for polygon in outline]
    except ValueError as error:
        text = str(error)
        raise InvalidInputError(
            f"'{source}': annotation {annotation.get('id')!r} has no segmentation that can be "
            f'read ({text if len(text) <= LONGEST else text[:LONGEST] + "…"}), expected polygons '
            'or run-length codes'
        ) from None
    areas = [polygon for polygon in polygons if len(polygon) >= 6]
    if len(areas) < len(polygons):
        warnings.warn(
            f"'{source}': annotation {annotation.get('id')!r} has a polygon of fewer than three "
            'points, which covers nothing',
            stacklevel=2,
        )
    if not areas:
        return np.zeros((height, width), np.bool_)
    code = coco_mask.merge(coco_mask.frPyObjects(areas, height, width))
    pixels: np.ndarray = coco_mask.decode(code).astype(bool)
    return pixels


def _checked(polygon: Any, height: int, width: int) -> list[float]:
    """Return a polygon that can be drawn: x and y of each point.

    Raises:
        ValueError: It is none, or lies far from the image; the text says what is wrong.
    """
    if not isinstance(polygon, list | tuple):
        raise ValueError(f'a polygon is {polygon!r}')
    wrong = next((value for value in polygon if not is_number(value)), None)
    if wrong is not None:
        raise ValueError(f'a polygon has {wrong!r}')
    if len(polygon) % 2 or not polygon:
        raise ValueError(f'a polygon has {len(polygon)} numbers, not pairs of x and y')
    points = np.array(polygon, np.float64).reshape(-1, 2)
    low, high, size = points.min(0), points.max(0), np.array([width, height])
    if (low > size).any() or (high < 0).any():
        raise ValueError(
            f'a polygon lies outside of its image, which has {height} x {width} pixels'
        )
    far = (points < -max(size)) | (points > 2 * max(size))
    if far.any():
        point = points[far.any(1)][0].tolist()
        raise ValueError(
            f'point {point} is far from its image, which has {height} x {width} pixels'
        )
    steps = np.abs(np.diff(points, axis=0, append=points[:1])).max(1).sum() * _FINER
    if steps > _MOST_POINTS:
        raise ValueError(f'a polygon has an outline of {steps / _FINER:.0f} pixels')
    return [float(value) for value in polygon]


def _from_code(code: Mapping[str, Any], height: int, width: int) -> np.ndarray:
    """Return the pixels of a run-length code, which goes down the columns.

    Raises:
        ValueError: The code is none of an image of this size.
    """
    counts = code.get('counts')
    if isinstance(counts, str | bytes):
        counts = _expanded(counts if isinstance(counts, bytes) else counts.encode('latin-1', '?'))
    if not isinstance(counts, list | tuple) or not all(
        isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts
    ):
        raise ValueError(f'its counts are {counts!r}')
    if sum(counts) != height * width:
        raise ValueError(f'its counts are {sum(counts)} pixels, its image has {height * width}')
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(width, height).T


def _expanded(text: bytes) -> list[int]:
    """Return the counts of a compressed code.

    Each is a number of 5 bits a character, the lowest first, with the sign in the last one;
    from the fourth on it is the difference to the count two before.

    Raises:
        ValueError: The text ends within a number, or has a character that no code has.

    Source: pycocotools, ``rleFrString``.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = character - 48
        if not 0 <= bits < 64:
            raise ValueError(f'its code has the character {chr(character)!r}')
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError('its code is cut short')
    return counts
