"""Geometric changes of an image together with all its label maps.

A sample is a dict: ``img`` is uint8 ``(H, W, 3)`` BGR, and ``seg_fields`` lists
the keys of label maps, uint8 ``(H, W)``.  Each function changes the dict in
place.  Pixels from outside the image get the ImageNet mean colour (zero after
normalisation) and the label 255 (void).
"""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from incseg.constants import VOID
from incseg.errors import InvalidInputError
from incseg.registry import TRANSFORMS
from incseg.utils.rules import any_of, expected

#: ImageNet's mean colour, blue green red, 0..255.
MEAN_COLOUR = (104, 116, 124)
#: names of OpenCV's interpolations of images
INTERPOLATIONS = {'bilinear': cv2.INTER_LINEAR, 'bicubic': cv2.INTER_CUBIC}


def crop(results: dict, top: int, left: int, height: int, width: int) -> None:
    """Cut a window out of the image and its label maps.

    Args:
        results: The sample; it is changed.
        top, left: The window's upper left corner in pixels.
        height, width: Size of the window, which has to lie inside the image.

    Raises:
        InvalidInputError: A label map has another size than the image.
    """
    window = (slice(top, top + height), slice(left, left + width))
    _move(results, 'crop', lambda img: img[window], lambda label: label[window])


def pad(results: dict, top: int, bottom: int, left: int, right: int) -> None:
    """Add rows and columns, in the ImageNet mean colour and with label 255.

    Args:
        results: The sample; it is changed.
        top, bottom, left, right: Number of rows or columns at each side, 0 or more.

    Raises:
        InvalidInputError: A label map has another size than the image.
    """
    if not (top or bottom or left or right):
        return

    def border(array: np.ndarray, value: Sequence[int]) -> np.ndarray:
        return cv2.copyMakeBorder(array, top, bottom, left, right, cv2.BORDER_CONSTANT, value=value)

    _move(
        results, 'pad', lambda img: border(img, MEAN_COLOUR), lambda label: border(label, (VOID,))
    )


def flip(results: dict, code: int) -> None:
    """Mirror the image and its label maps.

    Args:
        results: The sample; it is changed.
        code: 1 left to right, 0 top to bottom, as in OpenCV.

    Raises:
        InvalidInputError: A label map has another size than the image.
    """
    _move(results, 'flip', lambda img: cv2.flip(img, code), lambda label: cv2.flip(label, code))


def rotate(results: dict, degrees: float) -> None:
    """Rotate the image and its label maps about the centre; the size does not change.

    Args:
        results: The sample; it is changed.
        degrees: The angle, counter-clockwise.

    Raises:
        InvalidInputError: A label map has another size than the image.
    """
    height, width = results['img'].shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)

    def turn(array: np.ndarray, interpolation: int, value: Sequence[int]) -> np.ndarray:
        return cv2.warpAffine(
            array,
            matrix,
            (width, height),
            flags=interpolation,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=value,
        )

    def turn_image(img: np.ndarray) -> np.ndarray:
        # OpenCV rotates four channels twice as fast as three, with the same result
        four = cv2.cvtColor(img, cv2.COLOR_BGR2BGRA)
        return cv2.cvtColor(turn(four, cv2.INTER_LINEAR, (*MEAN_COLOUR, 0)), cv2.COLOR_BGRA2BGR)

    _move(results, 'rotation', turn_image, lambda label: turn(label, cv2.INTER_NEAREST, (VOID,)))


def resize(
    results: dict, height: int, width: int, labels: bool = True, interpolation: str = 'bilinear'
) -> None:
    """Scale the image and, with the nearest neighbour, its label maps.

    Args:
        results: The sample; it is changed.
        height, width: Size of the result in pixels.
        labels: Whether label maps are scaled too.  False is for evaluation at the
            label maps' own resolution.
        interpolation: Of the image, a key of ``INTERPOLATIONS``.

    Raises:
        InvalidInputError: ``labels`` is set, and a label map has another size than
            the image.
    """
    if labels:
        _check_same_size(results)
    keys = results.get('seg_fields', []) if labels else []
    if results['img'].shape[:2] != (height, width):
        kind = INTERPOLATIONS[interpolation]
        results['img'] = cv2.resize(results['img'], (width, height), interpolation=kind)
    for key in keys:
        if results[key].shape != (height, width):
            # "exact" samples at pixel centres, as the bilinear image does
            results[key] = cv2.resize(
                results[key], (width, height), interpolation=cv2.INTER_NEAREST_EXACT
            )
    results['img_shape'] = (height, width)


def pair(value: int | Sequence[int], name: str) -> tuple[int, int]:
    """Return ``(height, width)`` from an int (a square) or two ints, all at least 1.

    Args:
        value: The int, or a sequence of two.
        name: Name of the value in the error.

    Raises:
        InvalidInputError: The value has another form.
    """
    sizes = (value, value) if isinstance(value, int) else value
    if not (
        isinstance(sizes, Sequence)
        and len(sizes) == 2
        and all(isinstance(s, int) and s >= 1 for s in sizes)
    ):
        raise expected(name, value, 'a positive int or (height, width)')
    return sizes[0], sizes[1]


def interval(
    value: Sequence[float], name: str, lowest: float = -math.inf, highest: float = math.inf
) -> tuple[float, float]:
    """Return ``(low, high)`` as floats if ``lowest <= low <= high <= highest``.

    Args:
        value: The sequence ``(low, high)``.
        name: Name of the value in the error.
        lowest, highest: Limits of both numbers.

    Raises:
        InvalidInputError: The value is not such a pair.
    """
    if not (
        isinstance(value, Sequence)
        and len(value) == 2
        and lowest <= value[0] <= value[1] <= highest
    ):
        raise expected(name, value, f'(low, high) with {lowest:g} <= low <= high <= {highest:g}')
    return float(value[0]), float(value[1])


def _move(
    results: dict,
    kind: str,
    move_image: Callable[[np.ndarray], np.ndarray],
    move_label: Callable[[np.ndarray], np.ndarray],
) -> None:
    _check_same_size(results)
    results['img'] = move_image(results['img'])
    for key in results.get('seg_fields', []):
        results[key] = move_label(results[key])
    results['img_shape'] = results['img'].shape[:2]
    # labels loaded after this would not fit the image: LoadLabels reads this key
    results['moved_by'] = kind


def _check_same_size(results: dict) -> None:
    for key in results.get('seg_fields', []):
        if results[key].shape != results['img'].shape[:2]:
            raise InvalidInputError(
                f'{key} of {results.get("img_path", "an image")!r} is {results[key].shape} but '
                f'the image is {results["img"].shape[:2]} by now; nothing may move them after '
                'a Resize with resize_labels=False'
            )


_CODES = {'horizontal': 1, 'vertical': 0}


@TRANSFORMS.register_module()
class RandomFlip(BaseTransform):
    """Mirror the image and its labels with some probability.

    Args:
        direction: ``'horizontal'`` (left to right) or ``'vertical'`` (top to bottom).
        prob: Probability, 0 to 1, that an image is mirrored.

    Raises:
        InvalidInputError: An argument is out of range.
    """

    def __init__(self, direction: str = 'horizontal', prob: float = 0.5) -> None:
        if direction not in _CODES:
            raise expected('direction of RandomFlip', direction, any_of(_CODES))
        self.direction = direction
        self.prob = interval((0, prob), 'prob of RandomFlip', 0, 1)[1]

    def transform(self, results: dict) -> dict:
        if np.random.uniform() < self.prob:
            flip(results, _CODES[self.direction])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(direction={self.direction!r}, prob={self.prob})'


@TRANSFORMS.register_module()
class RandomRotation(BaseTransform):
    """Rotate the image and its labels about the centre by a random angle; the size does not change.

    Corners from outside the image get the ImageNet mean colour and label 255.

    Args:
        degrees: A number: the angle is uniform in ``[-degrees, degrees]``.  Or
            ``(low, high)`` of the angle, within -360..360.  Positive is
            counter-clockwise.
        prob: Probability, 0 to 1, that an image is rotated.

    Raises:
        InvalidInputError: An argument is out of range.
    """

    def __init__(self, degrees: float | Sequence[float], prob: float = 1.0) -> None:
        if isinstance(degrees, int | float):
            if degrees < 0:
                raise expected(
                    'degrees of RandomRotation', degrees, 'a number of at least 0, or (low, high)'
                )
            degrees = (-degrees, degrees)
        self.degrees = interval(degrees, 'degrees of RandomRotation', -360, 360)
        self.prob = interval((0, prob), 'prob of RandomRotation', 0, 1)[1]

    def transform(self, results: dict) -> dict:
        if np.random.uniform() < self.prob:
            rotate(results, np.random.uniform(*self.degrees))
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(degrees={self.degrees}, prob={self.prob})'
