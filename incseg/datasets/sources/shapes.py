import hashlib
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from incseg.constants import VOID
from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.sources.shapes_scene import draw_scene
from incseg.registry import DATASETS
from incseg.utils.rules import any_of, checked, expected, whole

_SPLITS = ('train', 'val', 'test')
#: rules of the numbers; more than that is a slip, and would take hours or all memory
RULES = dict(length=whole(1, 10**6), size=whole(16, 4096), seed=whole(0, 2**32 - 1))


@DATASETS.register_module()
class ShapesDataset(SegDataset):
    """Textured shapes on a cluttered background: 6 classes, drawn on access, no files.

    A picture is a function of ``(seed, split, index)`` and the size, in any
    process.  It shows 2 to 4 shapes of different classes at random scale,
    angle and position; later shapes hide parts of earlier ones.  Colours and
    textures are typical of a class but overlap.  The background is dull, with
    blobs and bars of which some have the colours of a class: a network has to
    learn the outlines too.

    ``get_data_info`` returns ``img`` and ``gt_seg_map`` (dataset ids), which
    :class:`LoadImage` and :class:`LoadLabels` use instead of files.

    Args:
        data_root: Not used; every data set has this argument.
        split: ``'train'``, ``'val'`` or ``'test'``; one only.
        pipeline: Transforms, or their config dicts.
        length: Number of pictures, at least 1.
        size: Side of the square pictures in pixels, at least 16.
        seed: Seed of the whole data set, 0 or more.
        **kwargs: Of :class:`SegDataset`.

    Raises:
        InvalidInputError: An argument is out of range.
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
        for name, value in dict(length=length, size=size, seed=seed).items():
            checked(f'{name} of ShapesDataset', value, RULES[name])
        if split not in _SPLITS:
            raise expected('split of ShapesDataset', split, any_of(_SPLITS))
        self.length, self.size, self.seed = length, size, seed
        super().__init__(data_root, split, pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Return a dict of ``image_id`` and ``index``, from 0, for every picture."""
        split = self.splits[0]
        return [dict(image_id=f'shapes_{split}_{i:05d}', index=i) for i in range(self.length)]

    def get_data_info(self, idx: int) -> dict:
        """Draw one picture and return the input of a pipeline.

        Args:
            idx: Index of the picture.

        Returns:
            A dict of ``image_id``, ``img`` uint8 ``(H, W, 3)`` BGR, ``gt_seg_map`` uint8
            ``(H, W)`` of dataset ids, and the other entries of
            :meth:`SegDataset.get_data_info`.
        """
        info = super().get_data_info(idx)
        info['img'], label = draw_scene(self._rng(info['index']), self.size)
        info['gt_seg_map'] = self.label_reader.table[label]
        return info

    def image_digests(self, indices: Sequence[int] | None = None) -> list[bytes]:
        """Return a digest of what each picture is drawn from; the size changes no scene.

        Args:
            indices: Indices of the images; None for all.
        """
        names = [f'{self.seed} {entry["image_id"]}' for entry in self.entries(indices)]
        return [hashlib.sha256(name.encode()).digest() for name in names]

    def _scan(self, entries: Sequence[dict], num_workers: int | None, progress: bool) -> np.ndarray:
        """Draw the labels; nothing is read from disk or cached there."""
        presence = np.zeros((len(entries), self.num_classes + 1), np.bool_)
        for entry, row in zip(entries, presence, strict=True):
            _, label = draw_scene(self._rng(entry['index']), self.size, with_image=False)
            ids = np.unique(self.label_reader.table[label])
            row[ids[ids != VOID]] = True
        return presence

    def _rng(self, index: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, _SPLITS.index(self.splits[0]), index))
