import subprocess
import sys

import numpy as np
import pytest
import torch

from incseg.datasets import (
    BackgroundCrops,
    BaseImageLabels,
    NegativeFolder,
    OldModelLabels,
    ShapesDataset,
    WeakDataset,
)
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol

PIPELINE = [dict(type='LoadImage'), dict(type='RandomFlip'), dict(type='PackSegInputs')]


class Listed:
    """Image labels as a file would give them: by id."""

    def __init__(self, presence):
        self.presence = presence

    def labels(self, image_ids):
        return np.stack([self.presence[name] for name in image_ids])


@pytest.fixture
def shapes():
    return ShapesDataset(length=40, size=32)


def test_scope_all(shapes):
    """Every image, every class, labels as the masks have them; in the data set's order whatever
    the learning order, so that one network serves both."""
    protocol = Protocol.parse('4-1', 6, class_order=[6, 5, 4, 3, 2, 1])
    dataset = WeakDataset(shapes, protocol, 1, PIPELINE)
    presence = shapes.presence()
    assert len(dataset) == 40 and dataset.class_ids == (1, 2, 3, 4, 5, 6)
    assert dataset.metainfo['classes'] == ('disc', 'square', 'triangle', 'ring', 'cross', 'star')
    for i in (0, 7, 39):
        labels = dataset[i]['data_samples'].gt_image_labels
        assert labels.dtype == torch.float32
        assert labels.tolist() == presence[i, 1:].astype(float).tolist()


def test_scope_step(shapes):
    """Only the step's images and its new classes: nothing else is known in incremental learning."""
    protocol = Protocol.parse('2-2', 6)
    dataset = WeakDataset(shapes, protocol, 1, PIPELINE, scope='step')
    chosen = np.flatnonzero(shapes.presence()[:, 3:5].any(1))
    assert dataset.class_ids == (3, 4) and dataset.indices.tolist() == chosen.tolist()
    assert 0 < len(chosen) < 40
    sample = dataset[5]['data_samples']
    assert sample.image_id == f'shapes_train_{chosen[5]:05d}'
    assert sample.gt_image_labels.tolist() == shapes.presence()[chosen[5], 3:5].tolist()


def test_no_mask_is_read(shapes):
    """Shapes brings its masks along; they must not reach the sample."""
    dataset = WeakDataset(shapes, Protocol.parse('4-1', 6), 1, PIPELINE)
    sample = dataset[0]
    assert 'gt_sem_seg' not in sample['data_samples'] and sample['inputs'].shape == (3, 32, 32)


def test_a_sample_depends_on_its_seed_alone(shapes):
    """Otherwise an interrupted training goes on with other crops."""
    dataset = WeakDataset(shapes, Protocol.parse('4-1', 6), 1, PIPELINE)
    first = [dataset[0, seed]['inputs'] for seed in range(8)]
    again = [dataset[0, seed]['inputs'] for seed in range(8)]
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert len({x.numpy().tobytes() for x in first}) == 2, 'flipped or not'


def test_labels_from_elsewhere(shapes):
    """Labels by image id replace the masks', for the selection too."""
    presence = {name: np.zeros(7, bool) for name in shapes.image_ids}
    presence['shapes_train_00003'][[0, 5]] = True
    presence['shapes_train_00009'][[0, 6]] = True
    dataset = WeakDataset(
        shapes, Protocol.parse('4-2', 6), 1, PIPELINE, scope='step', image_labels=Listed(presence)
    )
    assert dataset.indices.tolist() == [3, 9]
    assert dataset.image_labels.tolist() == [[1, 0], [0, 1]]


def test_labels_that_name_no_class(shapes):
    """An empty list for every image would train maps of nothing."""

    class Empty(BaseImageLabels):
        def class_ids(self, image_id):
            return []

    with pytest.raises(InvalidInputError, match='none of the .* images shows a class'):
        WeakDataset(shapes, Protocol.parse('4-2', 6), 1, PIPELINE, image_labels=Empty(shapes))


def test_single_class_step_is_degenerate(shapes):
    """Every image shows the class: any constant solves it.  The message names the ways out."""
    with pytest.raises(InvalidInputError) as error:
        WeakDataset(shapes, Protocol.parse('4-1', 6), 1, PIPELINE, scope='step')
    message = str(error.value)
    assert '\n' not in message
    for part in (
        'step 1',
        'shows cross',
        'seam.negatives',
        "dict(type='OldModelLabels')",
        "dict(type='NegativeFolder', folder='…')",
        "dict(type='BackgroundCrops')",
        "seam.scope='all'",
    ):
        assert part in message


def knows_the_masks(dataset, indices):
    """An old network that makes no mistake with classes 1 to 4 and knows no others."""
    for index in indices:
        label = dataset.get_data_info(index)['gt_seg_map']
        yield index, np.where(label < 5, label, 0).astype(np.uint8), np.ones(label.shape)


def test_old_classes_join(shapes):
    """What the old network finds are columns behind the new class; crops show nothing else."""
    dataset = WeakDataset(
        shapes,
        Protocol.parse('4-1', 6),
        1,
        PIPELINE,
        scope='step',
        negatives=OldModelLabels(1e-6, share=1.0, sizes=(0.25,)),
    )
    dataset.apply_old_network(knows_the_masks)
    presence = shapes.presence()
    chosen = np.flatnonzero(presence[:, 5])
    assert dataset.class_ids == (5, 1, 2, 3, 4) and dataset.helper_ids == (1, 2, 3, 4)
    assert dataset.metainfo['classes'] == ('cross', 'disc', 'square', 'triangle', 'ring')
    own, crops = np.split(dataset.image_labels, [len(chosen)])
    assert np.array_equal(own, presence[chosen][:, [5, 1, 2, 3, 4]])
    assert len(crops) and not crops[:, 0].any() and (crops[:, 1:].sum(1) >= 1).all()
    assert dataset[2]['data_samples'].gt_image_labels.tolist() == dataset.image_labels[2].tolist()


def test_crops_join(shapes):
    """Images behind the step's own, of the same size, in which nothing of the new class is."""
    dataset = WeakDataset(
        shapes,
        Protocol.parse('4-1', 6),
        1,
        PIPELINE,
        scope='step',
        negatives=BackgroundCrops(share=1.0, sizes=(0.25,)),
    )
    dataset.apply_old_network(knows_the_masks)
    positive = int(shapes.presence()[:, 5].sum())
    assert 0 < len(dataset) - positive <= positive and dataset.helper_ids == ()
    assert dataset.image_labels[:, 0].tolist() == ([1] * positive + [0] * (len(dataset) - positive))
    sample = dataset[positive]
    assert sample['data_samples'].image_id.startswith('crop_shapes_train_')
    assert sample['inputs'].shape == (3, 32, 32) and 'gt_sem_seg' not in sample['data_samples']


TWO = """
import sys
from mmengine.dist import get_rank
from incseg.datasets import OldModelLabels, ShapesDataset, WeakDataset
from incseg.utils.distributed import end_launcher, init_launcher
from incseg.protocols import Protocol
from tests.test_datasets.test_steps.test_images_with_image_labels import PIPELINE, knows_the_masks
init_launcher('pytorch')
looked = []
def look(dataset, indices):
    looked.extend(indices)
    return knows_the_masks(dataset, indices)
data = WeakDataset(ShapesDataset(length=40, size=32), Protocol.parse('4-1', 6), 1, PIPELINE,
                   scope='step', negatives=OldModelLabels(sizes=(.25,)))
data.apply_old_network(look)
labels = data.image_labels.astype(int).tolist()
sys.stdout.write(f'rank {get_rank()}: {len(looked)} {data.class_ids} {labels}\\n')  # in one piece
end_launcher()
"""


def test_two_processes_share_the_images(shapes, tool_environment, free_port, tmp_path):
    """Each looks at its half; both have the labels that a single process has, in the same order."""
    (tmp_path / 'two.py').write_text(TWO)
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--nproc-per-node',
            '2',
            '--master-port',
            free_port,
            str(tmp_path / 'two.py'),
        ],
        env=tool_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    alone = WeakDataset(
        shapes,
        Protocol.parse('4-1', 6),
        1,
        PIPELINE,
        scope='step',
        negatives=OldModelLabels(sizes=(0.25,)),
    )
    alone.apply_old_network(knows_the_masks)
    count, labels = len(alone.indices), alone.image_labels.astype(int).tolist()
    for rank, own in ((0, count - count // 2), (1, count // 2)):
        assert f'rank {rank}: {own} {alone.class_ids} {labels}' in done.stdout


def test_looking_is_for_those_who_need_it(shapes):
    """Without such negatives no network is asked."""
    dataset = WeakDataset(shapes, Protocol.parse('4-1', 6), 1, PIPELINE)
    dataset.apply_old_network(None)
    with pytest.warns(DeprecationWarning, match='now apply_old_network'):
        dataset.look_through(None)  # its name in incseg 0.1
    assert len(dataset) == 40


def test_negatives_make_it_learnable(shapes, tmp_path, write_image):
    """Images from a folder come last and show nothing."""
    for name in ('a', 'b'):
        write_image(tmp_path / f'{name}.jpg', (32, 32))
    kwargs = dict(scope='step', negatives=dict(type='NegativeFolder', folder=str(tmp_path)))
    dataset = WeakDataset(shapes, Protocol.parse('4-1', 6), 1, PIPELINE, **kwargs)
    positive = int(shapes.presence()[:, 5].sum())
    assert dataset.image_labels[:, 0].tolist() == [1] * positive + [0, 0]
    sample = dataset[positive + 1]
    assert sample['data_samples'].image_id == 'negative_b'
    assert sample['data_samples'].gt_image_labels.tolist() == [0]
    assert (
        len(
            WeakDataset(
                shapes,
                Protocol.parse('4-1', 6),
                1,
                PIPELINE,
                scope='step',
                negatives=NegativeFolder(str(tmp_path)),
            )
        )
        == positive + 2
    )


def test_bad_arguments(shapes):
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match="scope is 'old', expected 'all' or 'step'"):
        WeakDataset(shapes, Protocol.parse('4-1', 6), 1, PIPELINE, scope='old')
    nothing = Listed({name: np.zeros(7, bool) for name in shapes.image_ids})
    with pytest.raises(InvalidInputError, match='no image of ShapesDataset shows'):
        WeakDataset(
            shapes, Protocol.parse('4-2', 6), 1, PIPELINE, scope='step', image_labels=nothing
        )
