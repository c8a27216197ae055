"""The images that a step has and their labels, with and without a replay memory."""

import random

import numpy as np
import pytest
from torch.utils.data import DataLoader

from incseg.datasets import IncrementalDataset, ReplayDataset, ShapesDataset, VOCDataset
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from incseg.registry import DATASETS

LOAD = [dict(type='LoadImage'), dict(type='LoadLabels'), dict(type='PackSegInputs')]
MASKS = {'p': [[0, 1, 255]], 'q': [[2, 1, 0]], 'r': [[3, 2, 0]], 's': [[4, 4, 4]]}
ORDER = (2, 1, 4, 3, *range(5, 21))  # step 0: 2 and 1, step 1: 4, step 2: 3, …
PROTOCOL = dict(base=2, increment=1, class_order=ORDER)


@pytest.fixture
def voc(make_voc):
    return VOCDataset(str(make_voc(train_aug=MASKS)), 'train_aug')


def labels(dataset):
    return [sample['data_samples'].gt_sem_seg.data.tolist()[0][0] for sample in dataset]


def test_selection_and_labels_of_a_step(voc):
    """Worked example.  Learning order 2, 1 | 4 | 3: train ids 2→1, 1→2, 4→3, 3→4.  At step 0
    class 3 is background; at step 2 only class 3 is not."""
    first = IncrementalDataset(voc, PROTOCOL, 0, LOAD)
    assert first.image_ids == ['p', 'q', 'r']
    assert labels(first) == [[0, 2, 255], [1, 2, 0], [0, 1, 0]]
    third = IncrementalDataset(voc, PROTOCOL, 2, LOAD)
    assert third.image_ids == ['r'] and labels(third) == [[4, 0, 0]]


def test_settings(voc):
    """disjoint drops images that show the future; sequential keeps old annotations."""
    disjoint = IncrementalDataset(voc, {**PROTOCOL, 'setting': 'disjoint'}, 0, LOAD)
    assert disjoint.image_ids == ['p', 'q']
    sequential = IncrementalDataset(voc, {**PROTOCOL, 'setting': 'sequential'}, 2, LOAD)
    assert labels(sequential) == [[4, 1, 0]]


def test_test_mode_takes_every_image_and_hides_the_future(voc, monkeypatch):
    """Future classes are void when testing; no class index is needed for it."""
    monkeypatch.setattr(VOCDataset, 'presence', None)
    dataset = IncrementalDataset(voc, PROTOCOL, 1, LOAD, mode='test')
    assert labels(dataset) == [[0, 2, 255], [1, 2, 0], [255, 1, 0], [3, 3, 3]]


def test_future_classes_as_background(voc):
    """If it fails, `data.future='background'` is not the label rule of PLOP's and WILSON's codes.

    Void stays void, and training labels do not change.
    """
    arguments = (voc, PROTOCOL, 1, LOAD)
    dataset = IncrementalDataset(*arguments, mode='test', future='background')
    assert labels(dataset) == [[0, 2, 255], [1, 2, 0], [0, 1, 0], [3, 3, 3]]
    train = [labels(IncrementalDataset(*arguments, future=f)) for f in ('void', 'background')]
    assert train[0] == train[1]
    with pytest.raises(InvalidInputError, match="data.future is 'ignore', expected"):
        IncrementalDataset(*arguments, future='ignore')


def test_all_images_and_void_as_background(voc):
    """Options of joint training and of MiB's own label rule."""
    dataset = IncrementalDataset(voc, PROTOCOL, 1, LOAD, all_images=True, void_as_background=True)
    assert labels(dataset) == [[0, 0, 0], [0, 0, 0], [0, 0, 0], [3, 3, 3]]


def test_metainfo_is_in_learning_order(voc):
    """Train ids index these lists; a list in dataset order would swap names in every table."""
    meta = IncrementalDataset(voc, PROTOCOL, 1, LOAD, mode='test').metainfo
    assert meta['classes'] == ('background', 'bicycle', 'aeroplane', 'boat')
    assert meta['palette'] == [[0, 0, 0], [0, 128, 0], [128, 0, 0], [0, 0, 128]]


def test_built_from_config_or_objects(voc):
    """Configs name everything by dict; the protocol takes its size from the data set."""
    built = DATASETS.build(
        dict(
            type='IncrementalDataset',
            dataset=dict(type='ShapesDataset', length=20),
            protocol=dict(base=4, increment=1),
            step=1,
            pipeline=LOAD,
        )
    )
    same = IncrementalDataset(ShapesDataset(length=20), Protocol(6, 4, 1), 1, LOAD)
    assert built.image_ids == same.image_ids and len(built) == len(same) > 0


class Noise:
    """A third-party transform that draws from both global generators."""

    def __call__(self, results):
        results['noise'] = (np.random.rand(), random.random())
        return results


class Worth:
    def __call__(self, results):
        return results['image_id'], results['noise']


def make_noisy():
    return IncrementalDataset(ShapesDataset(length=12), Protocol(6, 6, 0), 0, [Noise(), Worth()])


def test_a_seeded_sample_does_not_depend_on_workers_or_order():
    """Resuming, and runs with other numbers of workers, must see the same augmentations."""
    batches = [[(i, 100 + i) for i in range(k, k + 4)] for k in (0, 4, 8)]

    def load(order, workers):
        loader = DataLoader(make_noisy(), batch_sampler=order, num_workers=workers, collate_fn=list)
        return sorted(sample for batch in loader for sample in batch)

    expected = load(batches, 0)
    assert len({noise for _, noise in expected}) == 12
    assert load(batches[::-1], 0) == expected
    assert load(batches, 2) == expected


def test_unseeded_samples_use_the_global_generators():
    """Plain indices behave like any data set."""
    dataset = make_noisy()
    np.random.seed(0)
    random.seed(0)
    one = dataset[3]
    assert dataset[3] != one
    np.random.seed(0)
    random.seed(0)
    assert dataset[3] == one


def test_iteration_ends():
    """Python iterates until IndexError."""
    assert len(list(make_noisy())) == 12


def test_binary_masks_are_named(voc):
    """If it fails, masks of 0 and 255 are blamed on the split or the order of the classes."""
    voc._presence = np.zeros((len(voc), voc.num_classes + 1), bool)
    voc._presence[:, 0] = True
    with pytest.raises(InvalidInputError) as error:
        IncrementalDataset(voc, dict(base=3, increment=1), 4, LOAD)
    assert str(error.value) == (
        'step 4 has no training image: the label maps of all 4 images of VOCDataset hold no class, '
        'only background (0) or void (255).  If 255 marks an object in them (binary masks), write '
        'the id of its class instead (7 car)'
    )


def test_empty_step_says_why(voc):
    """The step, its classes by name, the setting and the way out."""
    with pytest.raises(InvalidInputError) as error:
        IncrementalDataset(voc, dict(base=3, increment=1), 4, LOAD)
    assert str(error.value) == (
        'step 4 has no training image: none of the 4 images of VOCDataset shows one of its '
        'classes (7 car); use another split, class_order or step size'
    )
    with pytest.raises(
        InvalidInputError,
        match=r"step 0 .* setting 'disjoint': all 1 images of "
        r'VOCDataset that show its classes \(3 bird\) also show',
    ):
        IncrementalDataset(
            voc,
            dict(base=1, increment=1, setting='disjoint', class_order=[3, 2, 1, *range(4, 21)]),
            0,
            LOAD,
        )


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(mode='val'), "mode of IncrementalDataset is 'val', expected 'train' or 'test'"),
        (dict(step=3), 'step'),
        (dict(step=-1), 'step'),
        (
            dict(protocol=dict(bsae=4, increment=1)),
            r"protocol is {'bsae': 4, .*, expected a dict with base and",
        ),
        (dict(protocol=Protocol(5, 4, 1)), 'is 5, expected 6, as the data set'),
        (dict(protocol=dict(num_classes=5, base=4, increment=1)), 'is 5, expected 6, as the'),
    ],
)
def test_bad_arguments(change, message):
    """Each names the value and what is allowed."""
    arguments = dict(
        dataset=ShapesDataset(length=5), protocol=dict(base=4, increment=1), step=0, pipeline=LOAD
    )
    with pytest.raises(InvalidInputError, match=message):
        IncrementalDataset(**{**arguments, **change})


def test_transform_that_drops_a_sample_is_refused():
    """mmengine would quietly take another image; here a batch is a function of the iteration."""
    dataset = IncrementalDataset(ShapesDataset(length=9), Protocol(6, 6, 0), 0, [lambda _: None])
    with pytest.raises(InvalidInputError, match="returned None for image 'shapes_train_00002'"):
        dataset[2]


def test_image_level_labels_select_the_images(voc, tmp_path):
    """With labels from the masks, a weak step sees the images of its dense row; labels from a
    file select by themselves, and every sample brings its own row."""
    dense = IncrementalDataset(voc, PROTOCOL, 0, LOAD)
    weak = IncrementalDataset(voc, PROTOCOL, 0, [], image_labels=dict(type='MaskImageLabels'))
    assert weak.image_ids == dense.image_ids
    assert weak[1]['image_labels'].nonzero()[0].tolist() == [0, 1, 2]
    path = tmp_path / 'labels.json'
    path.write_text('{"p": [], "q": ["person"], "r": [], "s": ["bicycle"]}')
    source = dict(type='JSONImageLabels', path=str(path))
    listed = IncrementalDataset(voc, PROTOCOL, 0, [], image_labels=source)
    assert listed.image_ids == ['s']
    assert listed[0]['image_labels'].nonzero()[0].tolist() == [0, 2]


MASKS_OF_REPLAY = {
    'p': [[0, 1, 255]],
    'q': [[2, 1, 0]],
    'r': [[3, 2, 0]],
    's': [[4, 2, 3]],
    't': [[4, 0, 5]],
}
KEPT = {'q': [0], 's': [0]}  # s shows class 4 too: it is also an image of step 1


@pytest.fixture
def step(make_voc):
    source = VOCDataset(str(make_voc(train_aug=MASKS_OF_REPLAY)), 'train_aug')
    return IncrementalDataset(source, PROTOCOL, 1, LOAD)


def exemplars(dataset):
    return [sample['data_samples'].get('hidden') == () for sample in dataset]


def test_seen_labels(step):
    """Worked example: old and new classes are annotated in exemplars, future ones are background.

    s is served once, with its old class 2 annotated, which the step alone would hide.
    """
    assert step.image_ids == ['s', 't'] and labels(step) == [[3, 0, 0], [3, 0, 0]]
    joined = ReplayDataset(step, KEPT, 'seen')
    assert joined.image_ids == ['s', 't', 'q'] and joined.num_step_images == 2
    assert labels(joined) == [[3, 1, 0], [3, 0, 0], [1, 2, 0]]
    assert exemplars(joined) == [True, False, True]
    assert joined.metainfo == step.metainfo


def test_own_step_labels(step):
    """What was annotated when it was trained on; s also what is annotated now.  Else unknown."""
    joined = ReplayDataset(step, KEPT, 'own_step')
    assert labels(joined) == [[3, 1, 255], [3, 0, 0], [1, 2, 255]]


def test_no_exemplar_twice(step):
    """An image that is one of the step's is not added again."""
    joined = ReplayDataset(step, {'s': [0], 't': [0]}, 'seen')
    assert joined.image_ids == ['s', 't'] and len(joined) == 2


def test_seeds_reach_exemplars(step):
    """Augmentation of an exemplar depends on the seed, as everything else's."""
    import numpy as np

    step.pipeline.transforms.append(lambda results: (results, np.random.rand()))
    joined = ReplayDataset(step, KEPT, 'seen')
    for index in range(3):
        assert joined[index, 7][1] == joined[index, 7][1] != joined[index, 8][1]


def test_an_exemplar_that_is_gone(step):
    """Another data root than the one the memory was filled from: one line with the image."""
    with pytest.raises(InvalidInputError, match="memory holds image 'x', which the data set does"):
        ReplayDataset(step, {'x': [0]}, 'seen')
