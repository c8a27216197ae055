from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from incseg.apis.inference import Image, inference_model, init_model
from incseg.errors import InvalidInputError, MissingFileError
from incseg.structures import SegDataSample
from incseg.structures.painting import paint
from incseg.structures.picture_file import write_picture

SUFFIXES = {'.jpg', '.jpeg', '.png', '.bmp', '.webp'}


class Inferencer:
    """Segments images, folders of images or arrays, and paints the result.

    Args:
        config: A config's path, or a loaded config.
        checkpoint: A step's ``final.pth``.
        device: ``'cuda'`` if there is one, else ``'cpu'``, by default.
        fast: Whether the network is made ready by :func:`prepare_for_inference`.
            On by default: pictures are all that is made here, and they differ
            from the network's own at a few pixels on class borders, if at all.

    Example:
        >>> segment = Inferencer('configs/mib/…py', 'work_dirs/…/final.pth')
        >>> sample = segment('street.jpg', out_dir='painted')[0]
    """

    def __init__(
        self, config: Any, checkpoint: str | Path, device: str | None = None, fast: bool = True
    ):
        self.model = init_model(config, checkpoint, device, fast)
        self.classes: list[str] = self.model.dataset_meta['classes']
        self.palette: list[list[int]] = self.model.dataset_meta['palette']

    def __call__(
        self, images: Image | Sequence[Image], out_dir: str | Path | None = None,
        opacity: float = 0.5,
    ) -> list[SegDataSample]:
        """Segment images; with ``out_dir``, write each painted as ``<name>.png``
        (``<name>_<number>.png`` where the name is taken).

        Args:
            images: A path, a folder, a BGR uint8 array ``(H, W, 3)``, or a
                sequence of paths and arrays.
            out_dir: Where painted images go.
            opacity: Of the classes' colours.

        Returns:
            One sample an image, see :func:`inference_model`.
        """
        results = []
        written: set[str] = set()
        for number, image in enumerate(list_images(images)):
            sample = inference_model(self.model, image)
            assert isinstance(sample, SegDataSample)
            results.append(sample)
            if out_dir is not None:
                name = f'{number:06d}' if isinstance(image, np.ndarray) else Path(image).stem
                if name in written:  # a.jpg and a.png; or the same name in two folders
                    name = f'{name}_{number:06d}'
                written.add(name)
                self._write(Path(out_dir) / f'{name}.png', image, sample, opacity)
        return results

    def _write(self, path: Path, image: Image, sample: SegDataSample, opacity: float) -> None:
        pixels = image if isinstance(image, np.ndarray) else cv2.imread(str(image))
        assert pixels is not None  # it was segmented a moment ago
        labels = sample.pred_sem_seg.data[0].cpu().numpy()
        write_picture(path, paint(pixels, labels, self.palette, opacity))


def list_images(images: Image | Sequence[Image]) -> list[Image]:
    """A path, a folder or an array as a list of images."""
    if isinstance(images, np.ndarray):
        return [images]
    if not isinstance(images, (str, Path)):
        return list(images)
    path = Path(images)
    if path.is_dir():
        found: list[Image] = [p for p in sorted(path.iterdir()) if p.suffix.lower() in SUFFIXES]
        if not found:
            raise InvalidInputError(f'folder {path} holds no image ({sorted(SUFFIXES)})')
        return found
    if not path.is_file():
        raise MissingFileError(f'no image and no folder at {path}')
    return [path]
