"""What data sets of a step, and negatives that join them, promise."""

import pickle

import cv2
import numpy as np
import pytest
import torch

from incseg.constants import VOID
from incseg.datasets import OldModelLabels, ShapesDataset, WeakDataset
from incseg.datasets.negatives import OldNetworkNegatives
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from incseg.registry import DATASETS
from tests.common.contract import Contract, Example

SHAPES = dict(type='ShapesDataset', length=24, size=16)
PROTOCOL = Protocol.parse('2-2', num_classes=6)
LOAD = dict(type='LoadImage')
AT_RANDOM = [dict(type='RandomFlip'), dict(type='RandomRotation', degrees=30)]
PACK = dict(type='PackSegInputs')
MASKS = [LOAD, dict(type='LoadLabels'), *AT_RANDOM, PACK]
NO_MASKS = [LOAD, *AT_RANDOM, PACK]
#: The promise: whether samples have 'masks' or 'image labels'.
STEPS = Contract(
    'data set of a step',
    DATASETS,
    'incseg.datasets.steps',
    dict(
        IncrementalDataset=Example(
            'masks', dict(mode='train'), dict(mode='test'), dataset=SHAPES, pipeline=MASKS
        ),
        WeakDataset=Example(
            'image labels',
            dict(scope='step'),
            dict(scope='all'),
            dataset=SHAPES,
            pipeline=NO_MASKS,
        ),
    ),
    __file__,
    but=('incseg.datasets.steps.parts_dataset',),
)
#: The promise: how many images each part has.
PARTS = Contract(
    'data set of several parts',
    DATASETS,
    'incseg.datasets.steps.parts_dataset',
    dict(
        PartsDataset=Example(
            [24, 6],
            parts=[
                dict(
                    type='IncrementalDataset',
                    dataset=dict(SHAPES, length=length, seed=length),
                    protocol=dict(base=2, increment=2),
                    step=1,
                    mode='test',
                    pipeline=[LOAD, dict(type='LoadLabels'), PACK],
                )
                for length in (24, 6)
            ],
        )
    ),
    __file__,
)


def build(name, options, step=1, **other):
    return STEPS.build(name, **options, protocol=PROTOCOL, step=step, **other)


def same(a, b):
    """Whether two samples have the same image and labels."""
    keys = ['gt_sem_seg', 'gt_image_labels']
    one, other = ([s['data_samples'].get(key) for key in keys] for s in (a, b))
    one, other = (
        [getattr(x, 'data', x) for x in values if x is not None] for values in (one, other)
    )
    return torch.equal(a['inputs'], b['inputs']) and all(map(torch.equal, one, other))


@STEPS.each_way()
def test_an_index_and_a_seed_decide(name, options):
    """If it fails, a sample depends on the process, on what was served before, or on nothing; or
    serving one moves the generators that others draw from."""
    dataset = build(name, options)
    first = dataset[2, 11]
    states = np.random.get_state()[1], torch.get_rng_state()
    other = pickle.loads(pickle.dumps(dataset))
    assert len(other) == len(dataset) > 3
    for served in (dataset, other):
        served[3, 5]
        assert same(served[2, 11], first)
    assert any(not same(dataset[2, seed], first) for seed in range(5))
    assert not same(dataset[3, 11], first)
    np.testing.assert_array_equal(np.random.get_state()[1], states[0])
    assert torch.equal(torch.get_rng_state(), states[1])
    assert dataset[2]['inputs'].shape == first['inputs'].shape


@STEPS.each_way()
@pytest.mark.parametrize('step', [0, 1, 2])
def test_labels_fit_the_classes(name, options, step):
    """If it fails, labels are no positions in the classes that the network is built for, or name
    what the step must not know."""
    dataset = build(name, options, step)
    classes, palette = dataset.metainfo['classes'], dataset.metainfo['palette']
    assert len(classes) == len(palette) == len(set(classes))
    names = ShapesDataset.METAINFO['classes']
    for i in range(len(dataset)):
        sample = dataset[i]
        assert sample['inputs'].dtype == torch.uint8
        made = sample['data_samples']
        if STEPS[name].promise == 'image labels':
            assert made.gt_image_labels.shape == (len(classes),)
            assert set(made.gt_image_labels.tolist()) <= {0.0, 1.0} and 'gt_sem_seg' not in made
            continue
        ids = set(made.gt_sem_seg.data.unique().tolist()) - {VOID}
        new = {classes.index(names[k]) for k in PROTOCOL.new(step)}
        assert ids <= ({0} | new if options['mode'] == 'train' else set(range(len(classes))))


@STEPS.each_way()
def test_a_step_has_its_images(name, options):
    """If it fails, a step learns from images that the protocol does not give it."""
    dataset = build(name, options)
    presence = ShapesDataset(length=24, size=16).presence()
    everything = options.get('mode') == 'test' or options.get('scope') == 'all'
    expected = np.arange(24) if everything else PROTOCOL.select(presence, 1)
    assert dataset.indices.tolist() == expected.tolist()
    assert len(dataset) == len(expected)
    for place, i in ((0, expected[0]), (-1, expected[-1])):
        sample = dataset[range(len(dataset))[place]]
        assert sample['data_samples'].image_id == f'shapes_train_{i:05d}'


@STEPS.each_way()
def test_a_wrong_choice_is_named(name, options):
    """If it fails, a misspelt mode or scope trains on something else."""
    (option,) = options
    with pytest.raises(InvalidInputError, match=f"{option}.* is 'middle'"):
        build(name, {option: 'middle'})


#: The promise: whether it looks through the network of the step before.
NEGATIVES = Contract(
    'data set of negatives',
    DATASETS,
    'incseg.datasets.negatives',
    dict(
        BackgroundCrops=Example(True, sizes=(0.5, 0.75)),
        NegativeFolder=Example(False, folder='negatives'),
        OldModelLabels=Example(True, sizes=(0.5, 0.75), label_share=0.05),
    ),
    __file__,
)


ALONE = Protocol.parse('4-1', num_classes=6)


def old_network(dataset, indices):
    """A network of the step before that is sure of class 3 in the left half, and of the
    background in the right."""
    for index in indices:
        label = np.zeros((16, 16), np.uint8)
        label[:, :8] = 3
        yield index, label, np.full((16, 16), 0.9, np.float32)


@pytest.fixture
def joined(tmp_path):
    """``joined(name)``: negatives of an example in a step's data set, ready for training."""
    folder = tmp_path / 'negatives'
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f'{i}.png'), np.full((16, 16, 3), 60 * i, np.uint8))

    def make(name):
        config = NEGATIVES.config(name)
        if 'folder' in config:
            config['folder'] = str(folder)
        negatives = DATASETS.build(config)
        assert isinstance(negatives, OldNetworkNegatives) == NEGATIVES[name].promise
        dataset = WeakDataset(SHAPES, ALONE, 1, NO_MASKS, scope='step', negatives=negatives)
        dataset.apply_old_network(old_network)
        return dataset, negatives

    return make


@NEGATIVES.each()
def test_negatives_show_no_new_class(name, joined):
    """If it fails, the class that every image shows can still not be learned, or is taught on
    images without it."""
    dataset, negatives = joined(name)
    step = len(dataset) - len(negatives)
    assert len(negatives) > 0 and step == len(dataset.indices)
    new = [dataset.class_ids.index(i) for i in ALONE.new(1)]
    assert dataset.image_labels[:step, new].all(), 'every image of the step shows the class'
    assert not dataset.image_labels[step:, new].any()
    assert dataset.class_ids == ALONE.new(1) + dataset.helper_ids
    assert bool(dataset.helper_ids) == isinstance(negatives, OldModelLabels)
    assert set(dataset.helper_ids) <= {3}
    assert dataset.image_labels.shape == (len(dataset), len(dataset.class_ids))
    assert len(dataset.metainfo['classes']) == len(dataset.class_ids)


@NEGATIVES.each()
def test_negatives_are_samples_like_others(name, joined):
    """If it fails, the network tells negatives by something else than the class, or a loader's
    worker serves other ones."""
    dataset, negatives = joined(name)
    other = pickle.loads(pickle.dumps(dataset))
    names = [negatives.get_data_info(i)['image_id'] for i in range(len(negatives))]
    assert len(set(names)) == len(names)
    for i in range(len(dataset) - len(negatives), len(dataset)):
        sample = dataset[i, 3]
        assert sample['inputs'].shape == (3, 16, 16) and sample['inputs'].dtype == torch.uint8
        assert same(sample, other[i, 3]) and same(sample, dataset[i, 3])


@NEGATIVES.each()
def test_what_is_remembered_of_an_image_is_plain(name, joined):
    """If it fails, processes that share the images cannot tell each other what they saw."""
    _, negatives = joined(name)
    if not NEGATIVES[name].promise:
        assert not hasattr(negatives, 'look')
        return
    ((_, label, confidence),) = old_network(None, [0])
    first = negatives.look(label, confidence)
    assert first is not None and repr(first) == repr(pickle.loads(pickle.dumps(first)))
    assert 'array' not in repr(first) and 'tensor' not in repr(first)
    nothing = negatives.look(np.zeros_like(label), confidence)
    dataset = ShapesDataset(length=2, size=16)
    negatives.gather(dataset, [0, 1], [first, nothing])
    assert len(negatives) == 1 and len(negatives.image_labels) == 2
    with pytest.raises(InvalidInputError, match='seam.negatives'):
        negatives.gather(dataset, [0, 1], [nothing, nothing])


@PARTS.each()
def test_parts_follow_one_another(name):
    """If it fails, a test counts an image twice, or takes it for one of another source."""
    joined = PARTS.build(name)
    alone = [DATASETS.build(part) for part in PARTS[name]['parts']]
    numbers = [number for number, length in enumerate(PARTS[name].promise) for _ in range(length)]
    assert len(joined) == len(numbers) == len(joined.image_ids)
    assert joined.metainfo == alone[0].metainfo
    expected = [sample for part in alone for sample in map(part.__getitem__, range(len(part)))]
    for i, number in enumerate(numbers):
        assert same(joined[i], expected[i]) and joined[i]['data_samples'].test_part == number
    assert len({*joined.image_ids}) == len(joined), 'pictures of equal ids replace each other'
    assert [joined[i]['data_samples'].image_id for i in (0, 25)] == [
        joined.image_ids[0],
        joined.image_ids[25],
    ]
