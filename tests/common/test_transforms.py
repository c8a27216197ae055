"""What every registered transform promises."""

import pickle
import random

import cv2
import numpy as np
import pytest
import torch

from incseg.constants import VOID
from incseg.datasets import LabelReader, PseudoLabelFiles, ScoreFile
from incseg.datasets.transforms.geometry import MEAN_COLOUR
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import TRANSFORMS
from tests.common.contract import Contract, Example

# torch warns of a tensor that shares read-only memory; a data set's arrays are writable
pytestmark = pytest.mark.filterwarnings('ignore:.*not writable')

#: The promise: 'moves' image and labels, changes 'colours' of the image, 'loads' a file, 'packs'.
PARTS = Contract(
    'transform',
    TRANSFORMS,
    'incseg.datasets.transforms',
    dict(
        CenterCrop=Example('moves', dict(size=40), dict(size=(90, 30))),
        ColourJitter=Example('colours', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
        LoadImage=Example('loads'),
        LoadLabels=Example('loads'),
        LoadPseudoLabels=Example('loads', folders='pseudo'),
        PackSegInputs=Example('packs'),
        Pad=Example('moves', dict(size=(70, 120)), dict(divisor=32)),
        RandomCrop=Example(
            'moves', dict(size=48), dict(size=(100, 70)), dict(size=48, scale=(0.6, 2.0))
        ),
        RandomFlip=Example('moves', dict(direction='horizontal'), dict(direction='vertical')),
        RandomLongSide=Example('moves', low=50, high=110),
        RandomResizedCrop=Example('moves', dict(size=(50, 70)), dict(size=64, scale=(0.1, 0.5))),
        RandomRotation=Example('moves', dict(degrees=30), dict(degrees=(90, 180))),
        RandomScale=Example('moves', low=0.6, high=2.0),
        Resize=Example(
            'moves',
            dict(size=(97, 41)),
            dict(scale_factor=1.7),
            dict(short_side=33),
            dict(short_side=33, resize_labels=False),
        ),
    ),
    __file__,
)
COLOURS = np.zeros((256, 3), np.uint8)
COLOURS[:6] = [
    (9, 9, 9),
    (250, 20, 20),
    (20, 250, 20),
    (20, 20, 250),
    (240, 240, 20),
    (20, 240, 240),
]
COLOURS[VOID] = MEAN_COLOUR
OTHER = np.r_[3, 4, 5, 0, 1, 2, [VOID] * 250].astype(np.uint8)  # the ids of a second label map


def sample(height=60, width=80, seed=0, labels=True):
    """Blocks of ids and of void, each in its colour, and a second map of other ids; read-only."""
    coarse = np.random.default_rng(seed).choice(np.uint8([*range(6), VOID]), (4, 5))
    label = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    arrays = dict(img=COLOURS[label], gt_seg_map=label, other=OTHER[label])
    for array in arrays.values():
        array.flags.writeable = False
    if not labels:
        arrays = dict(img=arrays['img'])
    return dict(
        arrays,
        seg_fields=[key for key in arrays if key != 'img'],
        img_shape=(height, width),
        ori_shape=(height, width),
        img_path='x.jpg',
        image_id='x',
    )


def apply(transform, results, seed=0):
    """The transform's result, all of whose choices come from numpy's global generator."""
    np.random.seed(seed)
    return transform(results)


def image_and_labels(results):
    """Of a sample, packed or not, as arrays ``(H, W, 3)`` and ``(H, W)``."""
    if 'inputs' not in results:
        return results['img'], results['gt_seg_map']
    return (
        results['inputs'].numpy().transpose(1, 2, 0),
        results['data_samples'].gt_sem_seg.data[0].numpy(),
    )


def inner(label):
    """Pixels in whose surroundings there is one label; what lies outside the map is void."""
    around = cv2.copyMakeBorder(label, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=VOID)
    kernel = np.ones((5, 5), np.uint8)
    return (cv2.erode(around, kernel) == cv2.dilate(around, kernel))[2:-2, 2:-2]


@PARTS.each_way(but='loads')
def test_image_and_labels_stay_together(name, options):
    """If it fails, labels are moved by half a block, mirrored otherwise or interpolated, an id
    is invented, or a second label map goes another way than the first."""
    promise = PARTS[name].promise
    transform = PARTS.build(name, **options)
    shares = []
    for seed in range(12):
        before = sample(seed=seed)
        ids = set(np.unique(before['gt_seg_map']))
        results = apply(transform, before, seed)
        image, label = image_and_labels(results)
        if options.get('resize_labels') is False:
            np.testing.assert_array_equal(label, sample(seed=seed)['gt_seg_map'])
            label = cv2.resize(label, image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        else:
            assert set(np.unique(label)) <= ids | {VOID}
        if promise != 'packs' and 'resize_labels' not in options:
            np.testing.assert_array_equal(results['other'], OTHER[label])
        assert image.dtype == label.dtype == np.uint8
        assert image.shape == (*label.shape, 3)
        chosen = inner(label)
        shares.append(chosen.mean())
        for i in np.unique(label[chosen]):
            pixels = image[chosen & (label == i)].astype(int)
            expected = pixels[0] if promise == 'colours' else COLOURS[i].astype(int)
            assert np.abs(pixels - expected).max() <= 1, f'colour of {i}'
    assert np.mean(shares) > 0.2, 'enough pixels were compared'


@PARTS.each_way(but='loads')
def test_the_sample_says_its_size(name, options):
    """If it fails, padding, or the size of a prediction, is worked out from a wrong size."""
    results = apply(PARTS.build(name, **options), sample())
    image, label = image_and_labels(results)
    meta = results.get('data_samples', results)
    assert tuple(meta.get('img_shape')) == image.shape[:2]
    assert tuple(meta.get('ori_shape')) == (60, 80)


@PARTS.each_way(but='loads')
def test_a_seed_decides(name, options):
    """If it fails, a run cannot be repeated or resumed: choices come from elsewhere than numpy's
    global generator, or a random transform makes none."""
    transform = PARTS.build(name, **options)
    made = []
    for seed in (0, 0, 1, 2, 3, 4, 5, 6):
        random.seed(len(made))
        torch.manual_seed(len(made))
        made.append(image_and_labels(apply(transform, sample(), seed)))

    def same(a, b):
        return all(np.array_equal(x, y) for x, y in zip(a, b))

    assert same(made[0], made[1])
    assert all(same(made[0], other) for other in made) != ('Random' in name or 'Jitter' in name)


@PARTS.each_way(but='loads')
@pytest.mark.parametrize('size', [(1, 1), (3, 7), (131, 97)], ids=str)
def test_any_size_and_no_labels(name, options, size):
    """If it fails, an odd or tiny image ends a run, or inference, which has no labels, does."""
    transform = PARTS.build(name, **options)
    for seed in range(3):
        image, label = image_and_labels(apply(transform, sample(*size), seed))
        assert image.size and label.size
        results = apply(transform, sample(*size, labels=False), seed)
        alone = results['img'] if 'img' in results else results['inputs'].numpy().transpose(1, 2, 0)
        np.testing.assert_array_equal(alone, image)


@PARTS.each_way()
def test_travels_to_workers(name, options, files):
    """If it fails, a loader's worker has another transform than the main process, or a log says
    too little of it."""
    transform = PARTS.build(name, **files.options(name, options))
    there = pickle.loads(pickle.dumps(transform))
    for key in (key for key in PARTS.config(name, **options) if key not in ('type', 'folders')):
        assert f'{key}=' in repr(transform)
    start = files.sample if PARTS[name].promise == 'loads' else sample
    a, b = (apply(copy, start()) for copy in (transform, there))
    assert a.keys() == b.keys()
    for key in ('img', 'gt_seg_map', 'inputs'):
        if key in a:
            np.testing.assert_array_equal(a[key], b[key])


class Files:
    """An image, its mask and its pseudo-labels on disk."""

    def __init__(self, folder):
        self.folder = folder
        label = np.arange(12, dtype=np.uint8).reshape(3, 4) % 6
        self.img, self.label = COLOURS[label], label
        cv2.imwrite(str(folder / 'x.png'), self.img)
        cv2.imwrite(str(folder / 'label.png'), label)
        files = PseudoLabelFiles(folder / 'pseudo')
        ids = [1, 2, 3, 4, 5]
        scores = np.stack([np.float32(label == i) for i in ids])
        files.write('x', label, ScoreFile.quantise(ids, scores))
        files.write_meta(dict(ids=ids, bg=dict(mode='const', value=0.26)))

    def options(self, name, options):
        """Those of an example, with folders as they are here."""
        folders = PARTS[name].get('folders')
        return dict(options, folders=str(self.folder / folders)) if folders else options

    def sample(self):
        """What a data set hands to a pipeline, the image loaded and not."""
        return dict(
            image_id='x',
            img_path=str(self.folder / 'x.png'),
            seg_map_path=str(self.folder / 'label.png'),
            ori_shape=(3, 4),
            label_reader=LabelReader(5),
            seg_fields=[],
        )


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def loaders():
    return [name for name, part in PARTS.examples.items() if part.promise == 'loads']


@pytest.mark.parametrize('name', loaders())
def test_loads(name, files):
    """If it fails, a network is trained on other pixels or ids than the files have."""
    transform = PARTS.build(name, **files.options(name, {}))
    results = transform(files.sample())
    if 'img' in results:
        np.testing.assert_array_equal(results['img'], files.img)
        assert results['img_shape'] == results['ori_shape'] == (3, 4)
        held = results['img']
        assert transform(results)['img'] is held, 'what a data set draws is taken as it is'
        return
    np.testing.assert_array_equal(results['gt_seg_map'], files.label)
    assert results['gt_seg_map'].dtype == np.uint8 and results['seg_fields'] == ['gt_seg_map']
    lut = np.full(256, VOID, np.uint8)
    lut[[0, 2, 3]] = 0, 2, 1
    once = transform(dict(files.sample(), label_lut=lut))
    np.testing.assert_array_equal(once['gt_seg_map'], lut[files.label])
    with pytest.raises(InvalidInputError, match='crop'):
        transform(dict(files.sample(), moved_by='crop'))


@pytest.mark.parametrize('name', loaders())
@pytest.mark.parametrize(
    ('spoil', 'error'),
    [
        (lambda path: path.unlink(), MissingFileError),
        (lambda path: path.write_bytes(b''), InvalidInputError),
        (
            lambda path: path.write_bytes(path.read_bytes()[: len(path.read_bytes()) * 2 // 3]),
            InvalidInputError,
        ),
        (lambda path: path.write_bytes(b'no image'), InvalidInputError),
    ],
    ids=['gone', 'empty', 'cut', 'text'],
)
def test_a_damaged_file_is_named(name, spoil, error, files):
    """If it fails, a broken data set ends in a traceback, or is trained on in part."""
    transform = PARTS.build(name, **files.options(name, {}))
    paths = {
        'LoadImage': files.folder / 'x.png',
        'LoadLabels': files.folder / 'label.png',
        'LoadPseudoLabels': files.folder / 'pseudo/labels/x.png',
    }
    spoil(paths[name])
    with pytest.raises(error, match=paths[name].name):
        transform(files.sample())
