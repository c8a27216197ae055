from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.sources.shapes_scene import draw_scene
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS

_SPLITS = ('train', 'val', 'test')


@DATASETS.register_module()
class ShapesDataset(SegDataset):
    """Textured shapes on a cluttered background, drawn when asked for: 6 classes, no files.

    A picture depends on ``(seed, split, index)`` and the size alone, in any
    process.  Each shows 2 to 4 shapes of different classes at random scale,
    angle and place; later ones hide parts of earlier ones.  Colours and
    textures are typical of a class but overlap, and blobs in the same colours
    belong to the background, so a network has to learn the outlines too.

    ``get_data_info`` brings ``img`` and ``gt_seg_map`` (dataset ids), which
    :class:`LoadImage` and :class:`LoadLabels` take as they are.

    Args:
        data_root: not used; accepted like in every data set.
        split: ``'train'``, ``'val'`` or ``'test'``.
        pipeline: transforms, or their config dicts.
        length: number of pictures.
        size: side of the square picture in pixels, at least 16.
        seed: of the whole data set, 0 or more.
        **kwargs: of :class:`SegDataset`.

    Raises:
        InvalidInputError: an argument is out of range.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=('background', 'disc', 'square', 'triangle', 'ring', 'cross', 'star'),
        palette=[
            [0, 0, 0],
            [230, 190, 30],
            [60, 180, 75],
            [0, 160, 170],
            [60, 90, 230],
            [190, 60, 200],
            [230, 50, 50],
        ],
    )

    def __init__(
        self,
        data_root: str = '',
        split: str | Sequence[str] = 'train',
        pipeline: Sequence[dict | Callable] = (),
        *,
        length: int = 1000,
        size: int = 64,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        for name, value, lowest in (('length', length, 1), ('size', size, 16), ('seed', seed, 0)):
            if not isinstance(value, int) or value < lowest:
                raise InvalidInputError(
                    f'{name} of ShapesDataset is {value!r}; allowed is an int of {lowest} or more'
                )
        if split not in _SPLITS:
            raise InvalidInputError(
                f'split of ShapesDataset is {split!r}; allowed are {", ".join(_SPLITS)}'
            )
        self.length, self.size, self.seed = length, size, seed
        super().__init__(data_root, split, pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """``image_id`` and ``index`` of every picture."""
        split = self.splits[0]
        return [dict(image_id=f'shapes_{split}_{i:05d}', index=i) for i in range(self.length)]

    def get_data_info(self, idx: int) -> dict:
        """``image_id``, ``img`` uint8 ``(H, W, 3)`` BGR and ``gt_seg_map`` uint8 ``(H, W)``."""
        info = super().get_data_info(idx)
        info['img'], info['gt_seg_map'] = draw_scene(self._rng(info['index']), self.size)
        return info

    def _scan(self, num_workers: int | None, progress: bool) -> np.ndarray:
        """Draws the labels; nothing is read or cached on disk."""
        presence = np.zeros((len(self), self.num_classes + 1), np.bool_)
        for i, row in enumerate(presence):
            index = super().get_data_info(i)['index']
            _, label = draw_scene(self._rng(index), self.size, with_image=False)
            row[np.unique(label)] = True
        return presence

    def _rng(self, index: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, _SPLITS.index(self.splits[0]), index))
