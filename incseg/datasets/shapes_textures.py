"""The textures that :class:`ShapesDataset` covers its shapes with."""
import functools

import cv2
import numpy as np

KINDS = ('stripes', 'checks', 'dots', 'noise')
_VARIANTS = 16


@functools.lru_cache(maxsize=2)
def texture_bank(size: int) -> tuple[tuple[np.ndarray, ...], ...]:
    """The same textures every time: for each of ``KINDS`` 16 variants.

    Args:
        size: side of a texture in pixels.

    Returns:
        uint8 ``(size, size)`` each, by kind and variant; not to be changed.
    """
    rng = np.random.default_rng(0)
    return tuple(tuple(_texture(rng, kind, size) for _ in range(_VARIANTS)) for kind in KINDS)


def _texture(rng: np.random.Generator, kind: str, size: int) -> np.ndarray:
    """Angles are random, periods 6 to 14 % of the side."""
    if kind == 'noise':
        grain = rng.integers(0, 256, (22, 22), dtype=np.uint8)
        texture = cv2.resize(grain, (size, size), interpolation=cv2.INTER_LINEAR)
    else:
        angle, period = rng.uniform(0, 2 * np.pi), rng.uniform(.06, .14) * size
        y, x = np.mgrid[:size, :size] * (2 * np.pi / period)
        along = np.sin(np.cos(angle) * x + np.sin(angle) * y)
        across = np.sin(np.cos(angle) * y - np.sin(angle) * x)
        level = {'stripes': .5 + 1.5 * along, 'checks': .5 + 3 * along * across,
                 'dots': 2 * (along + across) - 1}[kind]
        texture = (np.clip(level, 0, 1) * 255).astype(np.uint8)
    texture.setflags(write=False)
    return texture
