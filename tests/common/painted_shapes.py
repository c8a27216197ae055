"""Pictures of Shapes in a folder, as somebody's own data: some of the classes have masks."""

import numpy as np

from incseg.datasets import ShapesDataset
from tests.common.folders import write_files


def write_shapes_folder(root, ids, number=30, seed=7, size=32, only_with=None):
    """Write ``images/`` and ``masks/`` below a folder.

    Args:
        root: The folder.
        ids: The value of each class in the masks, by name; other classes are background.
        number: How many pictures.
        seed: Seed of the pictures.
        size: Side of the pictures.
        only_with: Leave out pictures without this class; None for all.
    """
    drawn = ShapesDataset(split='train', length=number, size=size, seed=seed)
    names = drawn.metainfo['classes']
    table = np.array([ids.get(name, 0) for name in names], np.uint8)
    files = {}
    for i in range(len(drawn)):
        info = drawn.get_data_info(i)
        mask = info['gt_seg_map']
        if only_with is None or (mask == names.index(only_with)).any():
            files[f'images/{i:03d}.png'] = np.ascontiguousarray(info['img'][..., ::-1])
            files[f'masks/{i:03d}.png'] = table[mask]
    return write_files(root, files)
