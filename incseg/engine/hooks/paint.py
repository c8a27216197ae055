from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.hooks import Hook

from incseg.registry import HOOKS
from incseg.utils.pictures import paint, write_picture


@HOOKS.register_module()
class PaintHook(Hook):
    """Write a picture per test image: image, truth and prediction side by side.

    Args:
        folder: The folder of the pictures ``<image id>.png``; it is created.
        palette: The colour of each train id, ``[r, g, b]``.
    """

    def __init__(self, folder: str | Path, palette: list[list[int]]):
        self.folder, self.palette = Path(folder), palette
        self.folder.mkdir(parents=True, exist_ok=True)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        for image, sample in zip(data_batch['inputs'], outputs or ()):
            picture = np.ascontiguousarray(image.cpu().numpy().transpose(1, 2, 0))
            truth = sample.gt_sem_seg.data[0].cpu().numpy()
            prediction = sample.pred_sem_seg.data[0].cpu().numpy()
            plain = cv2.resize(picture, truth.shape[::-1])
            panels = [plain, *(paint(plain, ids, self.palette) for ids in (truth, prediction))]
            path = self.folder / f'{str(sample.image_id).replace("/", "_")}.png'
            write_picture(path, np.hstack(panels))
