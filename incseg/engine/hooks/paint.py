import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.hooks import Hook

from incseg.registry import HOOKS
from incseg.utils.distributed import on_rank_zero
from incseg.utils.outputs import check_outputs, free_names
from incseg.utils.pictures import paint, write_picture
from incseg.utils.rules import expected


@HOOKS.register_module()
class PaintHook(Hook):
    """Write a picture per test image: image, truth and prediction side by side.

    Args:
        folder: The folder of the pictures ``<image id>.png``; a slash in an id becomes
            ``_``, and ``_<number>`` follows where the name is taken.
        palette: The colour of each train id, ``[r, g, b]``.
        force: Whether to write over pictures that are there already.

    Raises:
        InvalidInputError: At the start of the test, a picture is there already, or would
            be among the data set's images or label maps.
    """

    def __init__(self, folder: str | Path, palette: list[list[int]], force: bool = False):
        self.folder, self.palette, self.force = Path(folder), palette, force
        self.paths: dict[str, Path] = {}

    def before_test(self, runner: Any) -> None:
        dataset = runner.test_dataloader.dataset
        ids = list(map(str, dataset.image_ids))
        self.paths = dict(zip(ids, map(self.path, free_names(i.replace('/', '_') for i in ids))))
        source = getattr(dataset, 'dataset', dataset)
        inputs = source.input_files() if hasattr(source, 'input_files') else []
        on_rank_zero(self.check, inputs=inputs)

    def check(self, inputs: Sequence[str]) -> None:
        """Refuse pictures that would be among the data set's files, or that are there already.

        Raises:
            InvalidInputError: Naming the folder or the first such picture.
        """
        if os.path.realpath(self.folder) in {os.path.realpath(os.path.dirname(f)) for f in inputs}:
            raise expected(
                'the folder of the pictures',
                str(self.folder),
                "another than the data set's, whose images they would become",
            )
        check_outputs(self.paths.values(), inputs, force=self.force)

    def path(self, name: str) -> Path:
        """Return the path of a picture."""
        return self.folder / f'{name}.png'

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        for image, sample in zip(data_batch['inputs'], outputs or ()):
            picture = np.ascontiguousarray(image.cpu().numpy().transpose(1, 2, 0))
            truth = sample.gt_sem_seg.data[0].cpu().numpy()
            prediction = sample.pred_sem_seg.data[0].cpu().numpy()
            plain = cv2.resize(picture, truth.shape[::-1])
            panels = [plain, *(paint(plain, ids, self.palette) for ids in (truth, prediction))]
            image_id = str(sample.image_id)
            path = self.paths.get(image_id) or self.path(image_id.replace('/', '_'))
            write_picture(path, np.hstack(panels))
