"""Arguments of transforms: a mistake is named with the transform, the value and what is allowed."""

import pytest

from incseg.datasets import (
    CenterCrop,
    ColourJitter,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomLongSide,
    RandomResizedCrop,
    RandomRotation,
    RandomScale,
    Resize,
)
from incseg.datasets.transforms import geometry
from incseg.errors import InvalidInputError


@pytest.mark.parametrize(
    ('transform', 'arguments', 'message'),
    [
        (CenterCrop, dict(size=0), 'size of CenterCrop is 0'),
        (ColourJitter, dict(brightness=-0.1), 'brightness of ColourJitter is .*, expected'),
        (ColourJitter, dict(contrast=(2, 1)), 'contrast of ColourJitter is .*, expected'),
        (ColourJitter, dict(hue=0.6), 'hue of ColourJitter is .*, expected'),
        (ColourJitter, dict(saturation=(-1, 1)), 'saturation of ColourJitter is .*, expected'),
        (Pad, dict(), 'of Pad is .None, None., expected one value'),
        (Pad, dict(size=3, divisor=3), 'of Pad is .3, 3., expected one value'),
        (Pad, dict(divisor=0), 'divisor of Pad is 0, expected a number of at least 1'),
        (Pad, dict(size=(0, 4)), 'size of Pad'),
        (RandomCrop, dict(size=-3), 'size of RandomCrop is -3, expected a positive'),
        (RandomCrop, dict(size=3, scale=(0, 2)), r'scale of RandomCrop is \(0, 2\), expected'),
        (RandomCrop, dict(size=3, scale=2.0), r'scale of RandomCrop is 2.0, expected'),
        (
            RandomFlip,
            dict(direction='diagonal'),
            "is 'diagonal', expected 'horizontal' or 'vertical'",
        ),
        (RandomFlip, dict(prob=-0.1), 'prob of RandomFlip'),
        (RandomLongSide, dict(low=0, high=5), 'range of RandomLongSide is .*1 <= low <= high'),
        (RandomLongSide, dict(low=6, high=5), 'range of RandomLongSide is .*1 <= low <= high'),
        (RandomLongSide, dict(low=1.5, high=3), 'range of RandomLongSide is .*1 <= low <= high'),
        (RandomResizedCrop, dict(size=0), 'size of RandomResizedCrop is 0'),
        (
            RandomResizedCrop,
            dict(size=8, scale=(2.0, 0.5)),
            r'scale of RandomResizedCrop is \(2.0, 0.5\)',
        ),
        (RandomResizedCrop, dict(size=8, ratio=(0.0, 1.0)), 'ratio of RandomResizedCrop'),
        (
            RandomRotation,
            dict(degrees=-5),
            'degrees of RandomRotation is -5, expected a number of at least 0',
        ),
        (RandomRotation, dict(degrees=(9, 3)), r'degrees of RandomRotation is \(9, 3\)'),
        (RandomRotation, dict(degrees=9, prob=2), 'prob of RandomRotation'),
        (RandomScale, dict(low=0, high=1), 'range of RandomScale'),
        (RandomScale, dict(low=2, high=1), 'range of RandomScale'),
        (Resize, dict(), 'arguments of Resize is .*, expected exactly one'),
        (Resize, dict(size=5, short_side=5), 'arguments of Resize is .*, expected exactly one'),
        (Resize, dict(scale_factor=0), 'scale_factor of Resize is 0, expected a number above 0'),
        (Resize, dict(short_side=0), 'short_side of Resize is 0, expected a number of at least 1'),
        (Resize, dict(size=(3, 0)), r'size of Resize is \(3, 0\), expected a positive int'),
    ],
)
def test_transforms(transform, arguments, message):
    """If it fails, a mistake in a pipeline surfaces as a strange image, or as a traceback."""
    with pytest.raises(InvalidInputError, match=message):
        transform(**arguments)


@pytest.mark.parametrize('value', [0, (3,), (3, 0), 'ab', (2.5, 3), None])
def test_sizes(value):
    """If it fails, a size other than one or two positive whole numbers passes."""
    with pytest.raises(InvalidInputError, match='size of X is .*, expected a positive int or'):
        geometry.pair(value, 'size of X')


@pytest.mark.parametrize('value', [(2, 1), (-1, 1), (0, 9), (1,), 3])
def test_intervals(value):
    """If it fails, low and high may be in the wrong order or out of bounds."""
    with pytest.raises(InvalidInputError, match=r'expected \(low, high\) with 0 <= low <= high'):
        geometry.interval(value, 'x', 0, 8)
