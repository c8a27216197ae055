"""Drawing of the pictures of :class:`ShapesDataset`.

A scene is drawn from back to front: a textured background, distractor blobs
and bars, then the shapes.  All lengths are shares of the image's side, so a
scene looks the same at any size.
"""

import functools
import math

import cv2
import numpy as np

TAU = 2 * np.pi


def draw_scene(
    rng: np.random.Generator, size: int, with_image: bool = True
) -> tuple[np.ndarray | None, np.ndarray]:
    """Draw one picture and its labels.

    Classes and positions are drawn from ``rng`` before any colour, so that
    without the picture the labels are the same, and much faster to draw.

    Args:
        rng: Source of all random choices; its state is changed.
        size: Side of the square picture in pixels.
        with_image: Whether the picture is drawn.

    Returns:
        The picture, uint8 ``(size, size, 3)`` BGR, or None; and the labels,
        uint8 ``(size, size)``: 0 background, 1..6 the shapes.
    """
    label = np.zeros((size, size), np.uint8)
    placed = _place_shapes(rng, size, label)
    if not with_image:
        return None, label
    img = _background(rng, size)
    for class_id, mask, box in placed:
        np.copyto(img[box], _fabric(rng, mask.shape, size, class_id), where=mask[..., None])
    return _develop(rng, img), label


def _place_shapes(
    rng: np.random.Generator, size: int, label: np.ndarray
) -> list[tuple[int, np.ndarray, tuple[slice, slice]]]:
    """Draw 2 to 4 shapes of different classes into the label map, later ones over earlier ones.

    Args:
        rng: Source of all random choices.
        size: Side of the picture in pixels.
        label: uint8 ``(size, size)``; it is changed.

    Returns:
        The class, the mask, bool ``(h, w)``, and the window in the picture of each shape.
    """
    wanted = rng.permutation(NUM_CLASSES)[: rng.integers(2, 5)] + 1
    placed: list[tuple[int, np.ndarray, tuple[slice, slice]]] = []
    areas = np.zeros(NUM_CLASSES + 1)
    visible = np.zeros(NUM_CLASSES + 1)
    for class_id in wanted.tolist():
        for _ in range(12 if len(placed) >= 2 else 60):
            radius = rng.uniform(0.18, 0.34) * size
            centre = rng.uniform(0.6 * radius, size - 0.6 * radius, 2)
            mask, box = fill(OUTLINES[class_id - 1], centre, radius, TAU * rng.random(), size)
            covered = label[box] * mask
            hidden = np.bincount(covered.ravel(), minlength=NUM_CLASSES + 1)
            # the visible part of every earlier shape stays recognisable
            if (visible - hidden >= 0.65 * areas)[1:].all():
                visible[1:] -= hidden[1:]
                visible[class_id] = areas[class_id] = np.count_nonzero(mask)
                np.copyto(label[box], class_id, where=mask)
                placed.append((class_id, mask, box))
                break
    return placed


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw dull clouds, a texture and distractors: uint8 ``(size, size, 3)``, BGR.

    Three of ten distractors have the colours and the pattern of a class.
    """
    clouds = cv2.resize(
        rng.integers(50, 180, (4, 4, 3), dtype=np.uint8),
        (size, size),
        interpolation=cv2.INTER_CUBIC,
    )
    grey = clouds.mean(2, keepdims=True)
    dull = (grey + 0.35 * (clouds - grey)).astype(np.uint8)
    img = cv2.addWeighted(dull, 0.55, _fabric(rng, (size, size), size, 0), 0.45, 0)
    for _ in range(rng.integers(2, 6)):
        if rng.random() < 0.3:
            outline = BAR * (1, rng.uniform(0.5, 1.4))
            radius = rng.uniform(0.3, 0.6) * size
        else:
            outline = BLOB * rng.uniform(0.45, 1.0, (9, 1))
            radius = rng.uniform(0.06, 0.17) * size
        mask, box = fill([outline], rng.uniform(0, size, 2), radius, TAU * rng.random(), size)
        colour_of = int(rng.integers(1, NUM_CLASSES + 1)) if rng.random() < 0.3 else 0
        np.copyto(img[box], _fabric(rng, mask.shape, size, colour_of), where=mask[..., None])
    return img


def _fabric(
    rng: np.random.Generator, shape: tuple[int, ...], size: int, class_id: int
) -> np.ndarray:
    """Return a piece of a random texture in two similar colours: uint8 ``(*shape, 3)``, BGR.

    Args:
        rng: Source of all random choices.
        shape: ``(h, w)`` of the piece, each at most ``size``.
        size: Side of the picture in pixels; it scales the pattern.
        class_id: 1..6: the pattern and the colours are mostly those that are typical of the
            class; 0: any pattern in dull colours.
    """
    typical = class_id > 0 and rng.random() >= 0.3
    kind = class_id % len(KINDS) if typical else int(rng.integers(len(KINDS)))
    textures = texture_bank(size)[kind]
    texture = textures[rng.integers(len(textures))]
    top, left = (int(rng.random() * (size - side + 1)) for side in shape)
    first, second = _tones(rng, class_id)
    mix = np.stack([(second - first) / 255, first], 1)
    return cv2.transform(texture[top : top + shape[0], left : left + shape[1]], mix)


def _tones(rng: np.random.Generator, class_id: int) -> np.ndarray:
    """Return two similar BGR colours of 0 to 255, float32 ``(2, 3)``.

    Their hue is near ``60 * class_id`` degrees, with a standard deviation of 10, and random in
    one of twenty cases.  Class 0 has any hue, but is dull.
    """
    share = rng.random(6)
    spread = 10 * rng.standard_normal(2)
    hue = 60 * class_id + spread[0] if class_id > 0 and share[0] < 0.95 else 360 * share[1]
    if class_id > 0:
        saturations, value = 0.55 + 0.4 * share[3:5], 0.5 + 0.3 * share[2]
    else:
        saturations, value = 0.25 * share[3:5], 0.3 + 0.4 * share[2]
    first = (hue % 360, saturations[0], value)
    second = ((hue + spread[1]) % 360, saturations[1], min(1.0, value + 0.1 + 0.2 * share[5]))
    hsv = np.array([[first, second]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0] * 255


def _develop(rng: np.random.Generator, img: np.ndarray) -> np.ndarray:
    """Return the picture with blur, random brightness and noise; uint8 ``(H, W, 3)`` in and out."""
    blurred = cv2.GaussianBlur(img, (3, 3), rng.uniform(0.3, 0.8))
    noise = rng.standard_normal(img.shape[:2], dtype=np.float32) * np.float32(rng.uniform(3, 9))
    light = blurred * np.float32(rng.uniform(0.75, 1.15)) + noise[..., None]
    return np.minimum(np.maximum(light, 0), 255).astype(np.uint8)


_SUBPIXEL_BITS = 4


def _circle(radius: float, points: int = 28) -> np.ndarray:
    angles = np.arange(points) * 2 * np.pi / points
    return radius * np.stack([np.cos(angles), np.sin(angles)], 1)


def _star(inner: float) -> np.ndarray:
    return _circle(1.0, 10) * np.where(np.arange(10) % 2, inner, 1.0)[:, None]


def _cross(half: float) -> np.ndarray:
    quarter = np.array([[1.0, -half], [1.0, half], [half, half]])
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, k) for k in range(4)])


#: Outlines in a unit circle, one list of polygons per class 1..6; a second polygon is a hole.
OUTLINES = (
    [_circle(0.9)],  # disc
    [_circle(1.0, 4)],  # square
    [_circle(1.1, 3)],  # triangle
    [_circle(1.0), _circle(0.5)],  # ring
    [_cross(0.36)],  # cross
    [_star(0.48) * 1.15],  # star
)
NUM_CLASSES = len(OUTLINES)
BLOB = _circle(1.0, 9)
BAR = np.array([[-1.0, -0.06], [1.0, -0.06], [1.0, 0.06], [-1.0, 0.06]])


def fill(
    outline: list[np.ndarray], centre: np.ndarray, radius: float, angle: float, size: int
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Turn an outline into a mask of the pixels inside it.

    Args:
        outline: Its parts in a unit circle, each ``(points, 2)`` of x and y; a second part is a
            hole.
        centre: ``(x, y)`` of the circle's centre in the picture, in pixels.
        radius: Radius of the circle in pixels.
        angle: Angle of the rotation in radians.
        size: Side of the picture in pixels.

    Returns:
        The mask, bool ``(h, w)``, and the window of the picture that it covers.
    """
    cos, sin = radius * math.cos(angle), radius * math.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    points = [part @ turn + centre for part in outline]
    left, top = (min(max(int(low), 0), size - 1) for low in points[0].min(0).tolist())
    right, bottom = (int(high) + 2 for high in points[0].max(0).tolist())
    right, bottom = min(max(right, left + 1), size), min(max(bottom, top + 1), size)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    fixed = [((part - (left, top)) * (1 << _SUBPIXEL_BITS)).astype(np.int32) for part in points]
    cv2.fillPoly(mask, fixed, 1, shift=_SUBPIXEL_BITS)
    return mask.view(np.bool_), (slice(top, bottom), slice(left, right))


KINDS = ('stripes', 'checks', 'dots', 'noise')
_VARIANTS = 16


@functools.lru_cache(maxsize=2)
def texture_bank(size: int) -> tuple[tuple[np.ndarray, ...], ...]:
    """Return 16 textures of each of ``KINDS``, the same in every process.

    Args:
        size: Side of a texture in pixels.

    Returns:
        Read-only uint8 ``(size, size)``, by kind and variant.
    """
    rng = np.random.default_rng(0)
    return tuple(tuple(_texture(rng, kind, size) for _ in range(_VARIANTS)) for kind in KINDS)


def _texture(rng: np.random.Generator, kind: str, size: int) -> np.ndarray:
    """Draw one texture, uint8 ``(size, size)``, read-only.

    Stripes, checks and dots have a random angle and a period of 6 to 14 % of the side.
    """
    if kind == 'noise':
        grain = rng.integers(0, 256, (22, 22), dtype=np.uint8)
        texture = cv2.resize(grain, (size, size), interpolation=cv2.INTER_LINEAR)
    else:
        angle, period = rng.uniform(0, 2 * np.pi), rng.uniform(0.06, 0.14) * size
        y, x = np.mgrid[:size, :size] * (2 * np.pi / period)
        along = np.sin(np.cos(angle) * x + np.sin(angle) * y)
        across = np.sin(np.cos(angle) * y - np.sin(angle) * x)
        level = {
            'stripes': 0.5 + 1.5 * along,
            'checks': 0.5 + 3 * along * across,
            'dots': 2 * (along + across) - 1,
        }[kind]
        texture = (np.clip(level, 0, 1) * 255).astype(np.uint8)
    texture.setflags(write=False)
    return texture
