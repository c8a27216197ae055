"""A folder like VOC 2012 for the benchmark of the data: photographs or drawn ones."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from incseg.utils.pictures import read_picture

SIZE = (375, 500)  # most of VOC's photographs
QUALITY = 97  # of the JPEGs: with photographs about 95 kB each; VOC's have 100 kB
SUFFIXES = ('.jpg', '.jpeg', '.png')


def make_folder(root: Path, count: int, photographs: Path | None) -> None:
    """Write ``count`` images and palette masks of 20 classes in VOC's layout below ``root``.

    Args:
        root: The folder, which need not exist.
        count: Number of images.
        photographs: A folder of photographs to be scaled to VOC's size; None draws pictures.
    """
    folders = [
        root / 'JPEGImages',
        root / 'SegmentationClassAug',
        root / 'ImageSets' / 'Segmentation',
    ]
    for folder in folders:
        folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    found: list[Path] = (
        []
        if photographs is None
        else sorted(path for path in photographs.rglob('*') if path.suffix.lower() in SUFFIXES)
    )
    files: list[Path | None] = [None] * count
    if found:
        files = [found[i * len(found) // count] for i in range(count)]
    palette = rng.integers(0, 256, 768).tolist()
    for i, file in enumerate(files):
        img = drawn(rng) if file is None else cv2.resize(read_picture(file), SIZE[::-1])
        _, content = cv2.imencode('.jpg', img, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        (folders[0] / f'{i:03}.jpg').write_bytes(content.tobytes())
        mask = Image.fromarray(objects(rng))
        mask.putpalette(palette)
        mask.save(folders[1] / f'{i:03}.png')
    (folders[2] / 'train_aug.txt').write_text(''.join(f'{i:03}\n' for i in range(count)))


def drawn(rng: np.random.Generator) -> np.ndarray:
    """A picture of smooth colours with finer and finer structure, as photographs have."""
    img = np.zeros((*SIZE, 3), np.float32)
    for cells, strength in ((4, 60.0), (16, 30.0), (64, 15.0), (250, 8.0)):
        noise = rng.normal(0, strength, (cells * 3 // 4, cells, 3)).astype(np.float32)
        img += cv2.resize(noise, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(img + 120, 0, 255).astype(np.uint8)


def objects(rng: np.random.Generator) -> np.ndarray:
    """A label map of one to four objects with void borders, uint8 ``(H, W)``."""
    mask = np.zeros(SIZE, np.uint8)
    for label in rng.integers(1, 21, rng.integers(1, 5)).tolist():
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        radii = rng.uniform(40, 130) * (1 + 0.15 * rng.normal(size=40))
        centre = rng.uniform((80, 80), (420, 295))
        outline = (centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)).round()
        cv2.fillPoly(mask, [outline.astype(np.int32)], label)
        cv2.polylines(mask, [outline.astype(np.int32)], True, 255, 5)
    return mask
