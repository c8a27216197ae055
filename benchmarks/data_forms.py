"""The same samples made in three ways: by ours, by MMSegmentation and by plain code."""

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from PIL import Image
from side_by_side import ROOT
from torch.utils.data import Dataset

from incseg.datasets import IncrementalDataset, VOCDataset
from incseg.engine.recipe.data import pipeline
from incseg.engine.recipe.names import resolve
from incseg.models.data_preprocessor import MEAN as IMAGENET_MEAN
from incseg.models.data_preprocessor import STD as IMAGENET_STD

CROP = 512
PROTOCOL = dict(base=15, increment=5, setting='overlap')  # VOC 15-5, at step 1
MEAN, STD = (np.array(each, np.float32) for each in (IMAGENET_MEAN, IMAGENET_STD))

_SCALE = dict(
    crop=dict(type='RandomCrop', size=CROP, scale=(0.5, 2.0)), flip=dict(type='RandomFlip')
)
_PEER = [
    dict(type='RandomResize', scale=(500, 375), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(CROP, CROP)),
    dict(type='RandomFlip', prob=0.5),
]
_PEER_OFFLINE = [
    *_PEER,
    dict(type='RandomRotate', prob=1.0, degree=10),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PhotoMetricDistortion'),
]


def recipe(name: str) -> dict[str, Any]:
    """The training transforms of ``configs/_base_/data/<name>.py``."""
    data = Config.fromfile(ROOT / f'configs/_base_/data/{name}.py').data.train_pipeline
    return resolve(data.to_dict(), dict(crop_size=CROP))


def scale_crop_flip() -> dict[str, Any]:
    """The transforms that MMSegmentation has one for one."""
    return dict(_SCALE)


def offline() -> dict[str, Any]:
    """The same and what ``voc_offline.py`` adds: rotation, vertical flip, colours."""
    return {
        **_SCALE,
        **{
            name: transform
            for name, transform in recipe('voc_offline').items()
            if name not in ('crop', 'flip')
        },
    }


def ours(root: Path, transforms: dict[str, Any]) -> IncrementalDataset:
    return IncrementalDataset(
        VOCDataset(str(root), 'train_aug'),
        PROTOCOL,
        1,
        pipeline(transforms, 1.0, True),
        all_images=True,
    )


def label_map(root: Path) -> dict[int, int]:
    """Train ids as MMSegmentation takes them: one entry a class."""
    return {i: int(train) for i, train in enumerate(ours(root, {}).label_lut[:21])}


def peer(root: Path, with_colours: bool, table: dict[int, int] | None) -> Dataset:
    """MMSegmentation's data set with its transforms of the same kind."""
    if 'mmcv.ops' not in sys.modules:  # mmcv-lite has none; these transforms use none
        ops: Any = types.ModuleType('mmcv.ops')
        ops.__getattr__ = lambda name: type(name, (), {})
        ops.__path__, ops.__file__ = [], __file__
        sys.modules['mmcv.ops'] = ops
    from mmseg.datasets import BaseSegDataset
    from mmseg.registry import TRANSFORMS

    transforms = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        *(_PEER_OFFLINE if with_colours else _PEER),
        dict(type='PackSegInputs'),
    ]
    dataset = BaseSegDataset(
        ann_file='ImageSets/Segmentation/train_aug.txt',
        data_root=str(root),
        lazy_init=True,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
        pipeline=[TRANSFORMS.build(transform) for transform in transforms],
    )
    dataset.label_map = table
    dataset.full_init()
    return dataset


class Plain(Dataset):
    """As scripts do it: labels int64, a loop over the classes, floats normalised in the worker.

    Args:
        root: The folder.
        with_colours: Whether rotation, vertical flip and colour jitter follow.
        table: Train id of each id.
    """

    def __init__(self, root: Path, with_colours: bool, table: dict[int, int]):
        self.images = sorted((root / 'JPEGImages').iterdir())
        self.labels = sorted((root / 'SegmentationClassAug').iterdir())
        self.with_colours = with_colours
        self.table = table

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> dict[str, Any]:
        content = np.fromfile(self.images[i], np.uint8)
        decoded = cv2.imdecode(content, cv2.IMREAD_COLOR)
        assert decoded is not None, 'the benchmark wrote it'
        img: np.ndarray = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
        raw = np.array(Image.open(self.labels[i])).astype(np.int64)
        label: np.ndarray = np.full_like(raw, 255)
        for old, new in self.table.items():
            label[raw == old] = new
        factor = np.random.uniform(0.5, 2.0)
        size = round(img.shape[1] * factor), round(img.shape[0] * factor)
        img = cv2.resize(img, size, interpolation=cv2.INTER_LINEAR)
        label = cv2.resize(label.astype(np.int16), size, interpolation=cv2.INTER_NEAREST)
        below, right = (max(0, CROP - side) for side in img.shape[:2])
        img = cv2.copyMakeBorder(img, 0, below, 0, right, cv2.BORDER_CONSTANT)
        label = cv2.copyMakeBorder(label, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(255,))
        top, left = (np.random.randint(side - CROP + 1) for side in img.shape[:2])
        img, label = (array[top : top + CROP, left : left + CROP] for array in (img, label))
        if np.random.rand() < 0.5:
            img, label = img[:, ::-1], label[:, ::-1]
        if self.with_colours:
            img, label = _coloured(*_turned(img, label))
        values = (img.astype(np.float32) / 255 - MEAN / 255) / (STD / 255)
        return dict(
            inputs=torch.from_numpy(values.transpose(2, 0, 1).copy()),
            labels=torch.from_numpy(label.astype(np.int64)),
        )


def _turned(img: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    matrix = cv2.getRotationMatrix2D((CROP / 2, CROP / 2), np.random.uniform(-10, 10), 1.0)
    img = cv2.warpAffine(img, matrix, (CROP, CROP), flags=cv2.INTER_LINEAR)
    label = cv2.warpAffine(label, matrix, (CROP, CROP), flags=cv2.INTER_NEAREST, borderValue=(255,))
    return (img[::-1], label[::-1]) if np.random.rand() < 0.5 else (img, label)


def _coloured(img: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = img.astype(np.float32) * np.random.uniform(0.75, 1.25)
    changes: list[Callable[[np.ndarray], np.ndarray | float]] = [
        lambda x: x.mean(),
        lambda x: x.mean(axis=2, keepdims=True),
    ]  # contrast, saturation
    for grey in changes:
        factor = np.random.uniform(0.75, 1.25)
        values = np.clip(values * factor + grey(values) * (1 - factor), 0, 255)
    return values.astype(np.uint8), label
