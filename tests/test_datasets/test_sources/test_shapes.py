"""Drawn pictures: a function of seed, split and index, and neither too easy nor hopeless."""

import subprocess
import sys

import numpy as np
import pytest

from incseg.datasets import LoadImage, LoadLabels, ShapesDataset
from incseg.datasets.sources.shapes_scene import (
    KINDS,
    OUTLINES,
    _place_shapes,
    draw_scene,
    fill,
    texture_bank,
)
from incseg.errors import InvalidInputError

PRINT_HASH = (
    'import hashlib; from incseg.datasets import ShapesDataset as S; '
    'i = S(length=9, seed=3).get_data_info(7); '
    "print(hashlib.sha1(i['img'].tobytes() + i['gt_seg_map'].tobytes()).hexdigest())"
)


def test_same_in_any_process():
    """A hash seed, the order of calls or global state leaking in would show here."""
    import hashlib

    ShapesDataset(length=9, seed=1).get_data_info(2)
    info = ShapesDataset(length=20, seed=3).get_data_info(7)
    here = hashlib.sha1(info['img'].tobytes() + info['gt_seg_map'].tobytes()).hexdigest()
    there = subprocess.run(
        [sys.executable, '-c', PRINT_HASH], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert here == there


def test_global_generator_is_left_alone():
    """Drawing must not disturb the augmentations, which draw from it."""
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    ShapesDataset(length=2).get_data_info(1)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_splits_seeds_and_indices_differ():
    """Equal pictures in train and test would make every score meaningless."""
    kinds = [dict(), dict(split='test'), dict(split='val'), dict(seed=1)]
    images = [
        ShapesDataset(length=3, **kind).get_data_info(i)['img'].tobytes()
        for kind in kinds
        for i in range(3)
    ]
    assert len(set(images)) == 12


def test_class_statistics():
    """All 6 classes in more than a third of the pictures, several in each; about two fifths of
    the pixels are shapes."""
    dataset = ShapesDataset(length=300)
    presence = dataset.presence()
    assert presence.shape == (300, 7) and presence[:, 0].all()
    assert (presence[:, 1:].mean(0) > 0.35).all()
    per_image = presence[:, 1:].sum(1)
    assert per_image.min() >= 2 and per_image.max() == 4
    labels = np.stack([dataset.get_data_info(i)['gt_seg_map'] for i in range(50)])
    assert 0.25 < (labels > 0).mean() < 0.5


def test_presence_is_that_of_the_pictures():
    """The labels are drawn without pictures for it, which must not change them."""
    dataset = ShapesDataset(length=30, split='test', seed=5, indices=[20, 3, 11])
    for row, info in zip(dataset.presence(), map(dataset.get_data_info, range(3))):
        assert set(np.unique(info['gt_seg_map'])) == set(row.nonzero()[0])


def test_every_shape_stays_visible():
    """A class that occurs in a few hidden pixels only would be noise in the class index."""
    for info in map(ShapesDataset(length=200).get_data_info, range(200)):
        counts = np.bincount(info['gt_seg_map'].ravel(), minlength=7)[1:]
        assert counts[counts > 0].min() >= 40


def test_size_and_loading():
    """Loading takes the arrays as they are."""
    info = ShapesDataset(length=1, size=96).get_data_info(0)
    results = LoadLabels()(LoadImage()(info))
    assert results['img'].shape == (96, 96, 3) and results['img'].dtype == np.uint8
    assert results['gt_seg_map'].shape == (96, 96) and results['ori_shape'] == (96, 96)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(length=0), 'length of ShapesDataset is 0, expected a whole number from 1 to 1000000'),
        (dict(size=8), 'size of ShapesDataset is 8, expected a whole number from 16 to 4096'),
        (dict(seed=-1), 'seed of ShapesDataset is -1'),
        (dict(split='tset'), "split of ShapesDataset is 'tset', expected 'train', 'val' or 'test'"),
    ],
)
def test_bad_arguments(kwargs, message):
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        ShapesDataset(**kwargs)


def test_labels_do_not_depend_on_the_picture():
    """The class index is made from labels drawn alone."""
    for seed in range(20):
        img, label = draw_scene(np.random.default_rng(seed), 64)
        nothing, alone = draw_scene(np.random.default_rng(seed), 64, with_image=False)
        assert nothing is None and img.shape == (64, 64, 3) and img.dtype == np.uint8
        np.testing.assert_array_equal(label, alone)


def test_colours_are_typical_but_overlap():
    """Within its outline a shape's mean colour mostly tells its class, so that a short training
    gets there, but not always."""
    colours, classes = [], []
    for seed in range(300):
        img, label = draw_scene(np.random.default_rng(seed), 64)
        for class_id in np.unique(label)[1:]:
            colours.append(img[label == class_id].mean(0))
            classes.append(class_id)
    x, y = np.array(colours), np.array(classes)
    half = len(y) // 2
    means = np.stack([x[:half][y[:half] == c].mean(0) for c in range(1, 7)])
    guess = 1 + np.linalg.norm(x[half:, None] - means, axis=2).argmin(1)
    assert 0.8 < (guess == y[half:]).mean() < 0.97


def test_the_background_is_dull_but_for_distractors():
    """Too hard if the background had the colours of shapes everywhere, too easy if nothing but a
    shape had them: some vivid pixels lie on the background, far more on shapes."""
    vivid: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(60):
        img, label = draw_scene(np.random.default_rng(seed), 64)
        low, high = img.min(2).astype(float), img.max(2).astype(float)
        saturated = (high - low) / np.maximum(high, 1) > 0.45
        for on_shape in (True, False):
            vivid[on_shape].append(saturated[(label > 0) == on_shape].mean())
    assert np.mean(vivid[True]) > 0.8
    assert 0.01 < np.mean(vivid[False]) < 0.15


def test_sizes_and_occlusion_vary():
    """If it fails, the scenes have become stickers of one size that nothing hides."""
    areas, hidden = [], 0
    for seed in range(100):
        placed = _place_shapes(np.random.default_rng(seed), 96, np.zeros((96, 96), np.uint8))
        _, label = draw_scene(np.random.default_rng(seed), 96, with_image=False)
        for class_id, mask, _ in placed:
            areas.append(np.count_nonzero(mask) / 96**2)
            hidden += np.count_nonzero(label == class_id) < np.count_nonzero(mask)
    assert np.quantile(areas, 0.9) > 2 * np.quantile(areas, 0.1)
    assert 0.15 < hidden / len(areas) < 0.6


SIZE = 400
RADIUS = 150.0
# areas of the outlines in a circle of radius 1
AREAS = [
    np.pi * 0.81,
    2.0,
    1.1**2 * 3 * 3**0.5 / 4,
    np.pi * (1 - 0.5**2),
    4 * 0.72 - 0.72**2,
    10 * 0.5 * 1.15**2 * 0.48 * np.sin(np.pi / 5),
]


@pytest.mark.parametrize(('outline', 'area'), list(zip(OUTLINES, AREAS)))
def test_areas(outline, area):
    """The shapes are what they are called: area by the textbook formula, at any angle."""
    for angle in (0.0, 1.0):
        mask, _ = fill(outline, np.array([200.0, 200.0]), RADIUS, angle, SIZE)
        assert mask.sum() / RADIUS**2 == pytest.approx(area, rel=0.03)


def test_window_is_inside_the_picture():
    """A shape over the border is cut, not moved or wrapped."""
    for centre in ([0, 0], [399, 10], [399, 399], [-50, 200]):
        mask, (rows, columns) = fill(OUTLINES[0], np.array(centre, float), RADIUS, 0.0, SIZE)
        assert mask.shape == np.zeros((SIZE, SIZE))[rows, columns].shape
        y, x = np.nonzero(mask)
        distance = np.hypot(x + columns.start - centre[0], y + rows.start - centre[1])
        assert distance.max() < 0.9 * RADIUS + 2


def test_bank_is_constant_and_varied():
    """Pictures are a function of their seed only if the textures never change."""
    bank = texture_bank(64)
    assert len(bank) == len(KINDS)
    texture_bank.cache_clear()
    for textures, again in zip(bank, texture_bank(64)):
        assert len({t.tobytes() for t in textures}) == len(textures)
        for one, two in zip(textures, again):
            np.testing.assert_array_equal(one, two)


def test_textures_use_the_whole_range():
    """A flat texture would leave only colour to tell classes by."""
    for textures in texture_bank(64):
        for texture in textures:
            assert texture.dtype == np.uint8 and texture.shape == (64, 64)
            assert texture.min() < 40 and texture.max() > 215
