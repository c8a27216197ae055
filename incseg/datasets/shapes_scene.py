"""How the pictures of :class:`ShapesDataset` are drawn.

A scene is drawn back to front: a textured background, distractor blobs and
bars, then the shapes.  All lengths are shares of the image's side, so a scene
looks the same at any size.
"""

import cv2
import numpy as np

from incseg.datasets.shapes_outlines import BAR, BLOB, OUTLINES, fill
from incseg.datasets.shapes_textures import KINDS, texture_bank

NUM_CLASSES = len(OUTLINES)
TAU = 2 * np.pi


def draw_scene(rng: np.random.Generator, size: int,
               with_image: bool = True) -> tuple[np.ndarray | None, np.ndarray]:
    """Draw one picture and its labels.

    What is where is drawn from ``rng`` before any colour, so that the labels
    alone are the same and much cheaper.

    Args:
        rng: source of every choice.
        size: side of the square picture in pixels.
        with_image: False leaves the picture out.

    Returns:
        picture uint8 ``(size, size, 3)`` BGR or None, and labels uint8
        ``(size, size)``: 0 background, 1..6 the shapes.
    """
    label = np.zeros((size, size), np.uint8)
    placed = _place_shapes(rng, size, label)
    if not with_image:
        return None, label
    img = _background(rng, size)
    for class_id, mask, box in placed:
        np.copyto(img[box], _fabric(rng, mask.shape, size, class_id), where=mask[..., None])
    return _develop(rng, img), label


def _place_shapes(rng: np.random.Generator, size: int,
                  label: np.ndarray) -> list[tuple[int, np.ndarray, tuple[slice, slice]]]:
    """Put 2 to 4 shapes of different classes into ``label``, later ones over earlier ones."""
    wanted = rng.permutation(NUM_CLASSES)[:rng.integers(2, 5)] + 1
    placed: list[tuple[int, np.ndarray, tuple[slice, slice]]] = []
    areas = np.zeros(NUM_CLASSES + 1)
    visible = np.zeros(NUM_CLASSES + 1)
    for class_id in wanted.tolist():
        for _ in range(12 if len(placed) >= 2 else 60):
            radius = rng.uniform(.16, .28) * size
            centre = rng.uniform(.6 * radius, size - .6 * radius, 2)
            mask, box = fill(OUTLINES[class_id - 1], centre, radius, TAU * rng.random(), size)
            covered = label[box] * mask
            hidden = np.bincount(covered.ravel(), minlength=NUM_CLASSES + 1)
            # what is left of every earlier shape stays recognisable
            if (visible - hidden >= .65 * areas)[1:].all():
                visible[1:] -= hidden[1:]
                visible[class_id] = areas[class_id] = np.count_nonzero(mask)
                np.copyto(label[box], class_id, where=mask)
                placed.append((class_id, mask, box))
                break
    return placed


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    """uint8 ``(size, size, 3)``: soft clouds of colour, a texture, and distractors."""
    clouds = cv2.resize(rng.integers(50, 180, (4, 4, 3), dtype=np.uint8), (size, size),
                        interpolation=cv2.INTER_CUBIC)
    img = cv2.addWeighted(clouds, .55, _fabric(rng, (size, size), size, 0), .45, 0)
    for _ in range(rng.integers(2, 6)):
        if rng.random() < .3:
            outline = BAR * (1, rng.uniform(.5, 1.4))
            radius = rng.uniform(.3, .6) * size
        else:
            outline = BLOB * rng.uniform(.45, 1., (9, 1))
            radius = rng.uniform(.06, .17) * size
        mask, box = fill([outline], rng.uniform(0, size, 2), radius, TAU * rng.random(), size)
        colour_of = int(rng.integers(NUM_CLASSES + 1))
        np.copyto(img[box], _fabric(rng, mask.shape, size, colour_of), where=mask[..., None])
    return img


def _fabric(rng: np.random.Generator, shape: tuple[int, ...], size: int,
            class_id: int) -> np.ndarray:
    """uint8 ``(*shape, 3)``: two tones of a colour typical of the class (0: any), textured."""
    kind = rng.integers(len(KINDS)) if rng.random() < .5 else class_id % len(KINDS)
    textures = texture_bank(size)[kind]
    texture = textures[rng.integers(len(textures))]
    top, left = (int(rng.random() * (size - side + 1)) for side in shape)
    first, second = _tones(rng, class_id)
    mix = np.stack([(second - first) / 255, first], 1)
    return cv2.transform(texture[top:top + shape[0], left:left + shape[1]], mix)


def _tones(rng: np.random.Generator, class_id: int) -> np.ndarray:
    """Two BGR colours, float32 ``(2, 3)``.  Typical hues lie 60 degrees apart, and overlap."""
    share = rng.random(6)
    spread = rng.standard_normal(2)
    typical = class_id > 0 and share[0] < .9
    hue = 60 * class_id + 14 * spread[0] if typical else 360 * share[1]
    value = .35 + .4 * share[2]
    hsv = np.array([[[hue % 360, .35 + .55 * share[3], value],
                     [(hue + 15 * spread[1]) % 360, .2 + .6 * share[4],
                      min(1., value + .15 + .25 * share[5])]]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0] * 255


def _develop(rng: np.random.Generator, img: np.ndarray) -> np.ndarray:
    """Blur, uneven light and sensor noise; uint8."""
    blurred = cv2.GaussianBlur(img, (3, 3), rng.uniform(.3, .8))
    noise = rng.standard_normal(img.shape[:2], dtype=np.float32) * np.float32(rng.uniform(3, 9))
    light = blurred * np.float32(rng.uniform(.75, 1.15)) + noise[..., None]
    return np.minimum(np.maximum(light, 0), 255).astype(np.uint8)
