import pytest

from incseg.datasets import IncrementalDataset, ReplayDataset, VOCDataset
from incseg.errors import InvalidInputError

LOAD = [dict(type='LoadImage'), dict(type='LoadLabels'), dict(type='PackSegInputs')]
MASKS = {'p': [[0, 1, 255]], 'q': [[2, 1, 0]], 'r': [[3, 2, 0]], 's': [[4, 2, 3]], 't': [[4, 0, 5]]}
ORDER = (2, 1, 4, 3, *range(5, 21))  # step 0: 2 and 1 -> train ids 1, 2; step 1: 4 -> 3; …
PROTOCOL = dict(base=2, increment=1, class_order=ORDER)
KEPT = {'q': [0], 's': [0]}  # s shows class 4 too: it is also an image of step 1


@pytest.fixture
def step(make_voc):
    source = VOCDataset(str(make_voc(train_aug=MASKS)), 'train_aug')
    return IncrementalDataset(source, PROTOCOL, 1, LOAD)


def labels(dataset):
    return [sample['data_samples'].gt_sem_seg.data.tolist()[0][0] for sample in dataset]


def exemplars(dataset):
    return [sample['data_samples'].get('exemplar', False) for sample in dataset]


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
