from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.registry import TRANSFORMS

_LEVELS = np.arange(256, dtype=np.float32)


@TRANSFORMS.register_module()
class ColourJitter(BaseTransform):
    """Change brightness, contrast, saturation and hue at random, in random order.

    Ranges and effects are those of torchvision's ``ColorJitter``.  Labels do
    not change.

    Args:
        brightness: A number x: the factor is uniform in
            ``[max(0, 1 - x), 1 + x]``.  Or ``(low, high)`` of the factor.
        contrast: As ``brightness``; the factor 0 gives uniform grey.
        saturation: As ``brightness``; the factor 0 gives black and white.
        hue: A number x: the shift, as part of the whole circle of hues, is
            uniform in ``[-x, x]``.  Or ``(low, high)`` of the shift, within
            -0.5..0.5.

    Raises:
        InvalidInputError: An argument is out of range.
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
        hue: float | Sequence[float] = 0.0,
    ) -> None:
        self.brightness = _factors(brightness, 'brightness')
        self.contrast = _factors(contrast, 'contrast')
        self.saturation = _factors(saturation, 'saturation')
        shift = (-hue, hue) if isinstance(hue, int | float) else hue
        self.hue = geometry.interval(shift, 'hue of ColourJitter', -0.5, 0.5)

    def transform(self, results: dict) -> dict:
        steps = (
            (adjust_brightness, self.brightness),
            (adjust_contrast, self.contrast),
            (adjust_saturation, self.saturation),
            (adjust_hue, self.hue),
        )
        for i in np.random.permutation(len(steps)):
            adjust, (low, high) = steps[i]
            neutral = 0.0 if adjust is adjust_hue else 1.0
            if not low == high == neutral:
                results['img'] = adjust(results['img'], np.random.uniform(low, high))
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, '
            f'saturation={self.saturation}, hue={self.hue})'
        )


def adjust_brightness(img: np.ndarray, factor: float) -> np.ndarray:
    """Return an image with every value multiplied by a factor, cut off at 255.

    Args:
        img: uint8 ``(H, W, 3)``; not changed.
        factor: 0 or more: 0 gives black, 1 the same image.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    return cv2.LUT(img, np.clip(_LEVELS * factor, 0, 255).astype(np.uint8))


def adjust_contrast(img: np.ndarray, factor: float) -> np.ndarray:
    """Return ``factor * image + (1 - factor) * mean grey of the image``, cut off at 0 and 255.

    Args:
        img: uint8 ``(H, W, 3)``, BGR; not changed.
        factor: 0 or more: 0 gives uniform grey, 1 the same image.

    Returns:
        uint8 ``(H, W, 3)``, BGR.
    """
    grey = cv2.cvtColor(img, cv2.COLOR_BGR2GRAY)
    mean = cv2.sumElems(grey)[0] / grey.size
    levels = _LEVELS * factor + mean * (1 - factor)
    return cv2.LUT(img, np.clip(levels, 0, 255).astype(np.uint8))


def adjust_saturation(img: np.ndarray, factor: float) -> np.ndarray:
    """Return ``factor * image + (1 - factor) * image in grey``, cut off at 0 and 255.

    Args:
        img: uint8 ``(H, W, 3)``, BGR; not changed.
        factor: 0 or more: 0 gives black and white, 1 the same image.

    Returns:
        uint8 ``(H, W, 3)``, BGR.
    """
    grey = cv2.cvtColor(cv2.cvtColor(img, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(img, factor, grey, 1 - factor, 0)


def adjust_hue(img: np.ndarray, shift: float) -> np.ndarray:
    """Return an image with every hue moved around the circle of hues.

    Args:
        img: uint8 ``(H, W, 3)``, BGR; it is not changed.
        shift: Part of the whole circle, -0.5 to 0.5; 0.5 turns a colour into its opposite.

    Returns:
        uint8 ``(H, W, 3)``, BGR.
    """
    hsv = cv2.cvtColor(img, cv2.COLOR_BGR2HSV_FULL)
    turned = (np.arange(256) + round(shift * 256)) % 256
    hsv[..., 0] = cv2.LUT(hsv[..., 0], turned.astype(np.uint8))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)


def _factors(value: float | Sequence[float], name: str) -> tuple[float, float]:
    if isinstance(value, int | float):
        value = (max(0.0, 1 - value), 1 + value)
    return geometry.interval(value, f'{name} of ColourJitter', 0)
