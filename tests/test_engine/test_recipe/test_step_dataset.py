"""What a step is trained on: masks, or nothing but lists of classes."""

import numpy as np
import pytest

from incseg.datasets import IncrementalDataset, WeakDataset
from incseg.engine import Experiment
from incseg.engine.labels import step_dataset
from incseg.engine.recipe.names import resolve
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS


def steps(config):
    experiment = Experiment(config)
    source = DATASETS.build(resolve(config['data']['train'], config))
    return (
        experiment,
        source,
        [step_dataset(experiment, k, source) for k in range(experiment.num_steps)],
    )


def test_masks_by_default(tiny):
    """If it fails, other methods lose their masks."""
    _, source, datasets = steps(tiny('mib'))
    assert all(
        type(dataset) is IncrementalDataset and dataset.dataset is source for dataset in datasets
    )


def test_image_labels_from_step_1_on(tiny_wilson):
    """If it fails, step 0 lacks masks, or a later step has some, or another step's classes."""
    experiment, source, (base, added) = steps(tiny_wilson())
    assert type(base) is IncrementalDataset and type(added) is WeakDataset
    presence = source.presence()
    assert np.array_equal(added.indices, experiment.training_protocol.select(presence, 1))
    sample = added[0]['data_samples']
    assert 'gt_sem_seg' not in sample
    shown = presence[added.indices[0]][[5, 6]]
    assert sample.gt_image_labels.tolist() == shown.astype(float).tolist()


def test_class_order(tiny_wilson):
    """If it fails, the labels' columns are another order's than the network's outputs."""
    _, source, (_, added) = steps(tiny_wilson(**{'protocol.class_order': [6, 5, 3, 4, 2, 1]}))
    assert added.class_ids == (2, 1)
    assert np.array_equal(added.image_labels, source.presence()[added.indices][:, [2, 1]])


def test_a_class_in_every_image(tiny_wilson):
    """If it fails, a step from which nothing can be learnt is trained."""
    with pytest.raises(InvalidInputError, match='each of the .* images shows cross, so'):
        steps(tiny_wilson(**{'protocol.name': '4-1'}))


def test_negatives(tiny_wilson, tmp_path):
    """If it fails, images without the class, the remedy for such a step, do not arrive."""
    import cv2

    for i in range(2):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.zeros((32, 32, 3), np.uint8))
    config = tiny_wilson(
        **{
            'protocol.name': '4-1',
            'method.negatives': dict(type='NegativeFolder', folder=str(tmp_path)),
        }
    )
    _, _, datasets = steps(config)
    assert datasets[1][len(datasets[1]) - 1]['data_samples'].gt_image_labels.tolist() == [0]
