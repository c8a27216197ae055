"""Small data sets on disk, made for one test."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('INCSEG_CACHE_DIR', str(tmp_path / 'cache'))


@pytest.fixture
def write_label():
    """Write ids as a palette (default) or grey PNG; makes the folder."""

    def write(path, ids, palette=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.asarray(ids, np.uint8))
        if palette:
            image.putpalette(list(np.random.default_rng(0).integers(0, 256, 768)))
        image.save(path)
        return path

    return write


@pytest.fixture
def write_image():
    """Write a grey-ish JPEG or PNG of a size ``(height, width)``; makes the folder."""

    def write(path, size=(12, 16), value=90):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def make_voc(tmp_path, write_label, write_image):
    """A VOC-shaped folder: ``make_voc(train_aug={'a': ids, …}, val={…})``, ids uint8 (H, W)."""

    def make(**splits):
        root = tmp_path / 'VOCdevkit' / 'VOC2012'
        lists = root / 'ImageSets' / 'Segmentation'
        lists.mkdir(parents=True)
        for split, masks in splits.items():
            (lists / f'{split}.txt').write_text(''.join(f'{name}\n' for name in masks))
            for name, ids in masks.items():
                write_image(root / 'JPEGImages' / f'{name}.jpg', np.shape(ids))
                write_label(root / 'SegmentationClassAug' / f'{name}.png', ids)
        return root

    return make
