"""Image and label stay aligned, sizes are those asked for, and the seed decides everything."""

import copy

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from incseg.datasets.steps.sample_seed import sample_seed
from incseg.registry import TRANSFORMS

SIDES = st.integers(1, 40)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def samples(draw):
    """A picture of any size whose three channels are row, column and label of the pixel."""
    height, width, seed = draw(SIDES), draw(SIDES), draw(SEEDS)
    label = np.random.default_rng(seed).integers(0, 7, (height, width), dtype=np.uint8)
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return dict(
        img=np.stack([rows, columns, label], 2),
        gt_seg_map=label,
        seg_fields=['gt_seg_map'],
        img_shape=(height, width),
        ori_shape=(height, width),
    )


def apply(name, sample, seed, **options):
    """Apply a transform to a copy of a sample."""
    with sample_seed(seed):
        return TRANSFORMS.build(dict(type=name, **options))(copy.deepcopy(sample))


def assert_aligned(result, before):
    """Every pixel inside the picture shows where it was, and has the label of that place."""
    img, label = result['img'], result['gt_seg_map']
    assert img.shape[:2] == label.shape == tuple(result['img_shape'])
    assert img.dtype == label.dtype == np.uint8
    inside = label != 255
    rows, columns, shown = img[inside].T
    assert (shown == label[inside]).all()
    assert (before['gt_seg_map'][rows, columns] == label[inside]).all()
    return inside


@given(samples(), SEEDS, st.sampled_from(['horizontal', 'vertical']), st.sampled_from([0, 0.5, 1]))
def test_flip(sample, seed, direction, prob):
    """If it fails, labels of flipped pictures are wrong."""
    result = apply('RandomFlip', sample, seed, direction=direction, prob=prob)
    assert assert_aligned(result, sample).all() and result['img_shape'] == sample['img_shape']
    flipped = np.flip(sample['img'], 1 if direction == 'horizontal' else 0)
    options = {0: [sample['img']], 1: [flipped], 0.5: [sample['img'], flipped]}[prob]
    assert any(np.array_equal(result['img'], each) for each in options)


@given(samples(), SEEDS, SIDES, SIDES)
def test_crop(sample, seed, height, width):
    """If it fails, a crop has another size, leaves out what fits, or moves labels."""
    result = apply('RandomCrop', sample, seed, size=(height, width))
    inside = assert_aligned(result, sample)
    assert inside.shape == (height, width)
    rows, columns = sample['img_shape']
    assert inside.sum() == min(rows, height) * min(columns, width)
    assert inside.any(0).sum() == min(columns, width) and inside.any(1).sum() == min(rows, height)


@given(samples(), SIDES, SIDES)
def test_central_crop(sample, height, width):
    """If it fails, evaluation on a central crop sees another part of the picture."""
    result = apply('CenterCrop', sample, 0, size=(height, width))
    inside = assert_aligned(result, sample)
    assert inside.shape == (height, width)
    for axis, (have, want) in enumerate(zip(sample['img_shape'], (height, width))):
        shown = result['img'][inside][:, axis]
        assert len(set(shown.tolist())) == min(have, want)
        if have > want:
            assert abs(int(shown.min()) - (have - 1 - int(shown.max()))) <= 1


@given(samples(), st.integers(1, 24))
def test_pad(sample, divisor):
    """If it fails, padding moves the picture or its labels."""
    result = apply('Pad', sample, 0, divisor=divisor)
    inside = assert_aligned(result, sample)
    rows, columns = sample['img_shape']
    assert all(
        side % divisor == 0 and 0 <= side - had < divisor
        for side, had in zip(inside.shape, (rows, columns))
    )
    assert inside[:rows, :columns].all() and inside.sum() == rows * columns


@given(
    st.tuples(SIDES, SIDES),
    st.tuples(SIDES, SIDES),
    SEEDS,
    st.sampled_from(['Resize', 'RandomResizedCrop', 'RandomCrop']),
)
def test_scaling(before, size, seed, name):
    """If it fails, a picture in halves has its labels elsewhere after scaling."""
    height, width = before
    label = np.zeros(before, np.uint8)
    label[height // 2 :] = 6
    img = np.repeat(label[..., None] * 40, 3, 2)
    sample = dict(img=img, gt_seg_map=label, seg_fields=['gt_seg_map'], img_shape=before)
    options = dict(scale=(0.5, 2.0)) if name == 'RandomCrop' else {}
    result = apply(name, sample, seed, size=size, **options)
    label, img = result['gt_seg_map'], result['img']
    assert img.shape[:2] == label.shape == size == tuple(result['img_shape'])
    assert set(np.unique(label)) <= {0, 6, 255}
    inside = label != 255
    # bilinear pixels between the halves show a mixture; one side of the middle is nearer
    error = np.abs(img[..., 0].astype(int) - 40 * label.astype(int))[inside]
    assert (error <= 150).all()
    for row in np.flatnonzero(inside.any(1)):
        assert len(set(label[row][inside[row]].tolist())) == 1, 'halves are whole rows'


@given(
    samples(),
    SEEDS,
    st.sampled_from(
        [
            dict(name='RandomFlip'),
            dict(name='RandomCrop', size=9, scale=(0.5, 2.0)),
            dict(name='RandomResizedCrop', size=9),
            dict(name='RandomScale', low=0.5, high=2.0),
            dict(name='RandomLongSide', low=4, high=50),
            dict(name='RandomRotation', degrees=30),
            dict(name='ColourJitter', brightness=0.5, contrast=0.5, saturation=0.5, hue=0.1),
        ]
    ),
)
def test_the_seed_decides(sample, seed, options):
    """If it fails, a resumed run sees other pictures than an uninterrupted one."""
    before = copy.deepcopy(sample)
    once, again = (apply(sample=sample, seed=seed, **options) for _ in range(2))
    assert np.array_equal(once['img'], again['img'])
    assert np.array_equal(once['gt_seg_map'], again['gt_seg_map'])
    assert np.array_equal(before['img'], sample['img'])
    assert once['img'].shape[:2] == once['gt_seg_map'].shape == tuple(once['img_shape'])
