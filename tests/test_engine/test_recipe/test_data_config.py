import pytest

from incseg.engine import Experiment
from incseg.engine.labels import step_labels
from incseg.engine.recipe.data import dataset_config, loader_config, pipeline


def test_pipeline_order():
    """Loading first, scaling next, the named ones in order without those set to None, packing."""
    steps = pipeline({'a': dict(type='A'), 'b': None, 'c': dict(type='C')}, 0.5, True)
    assert [step['type'] for step in steps] == [
        'LoadImage',
        'LoadLabels',
        'Resize',
        'A',
        'C',
        'PackSegInputs',
    ]
    assert steps[2] == dict(type='Resize', scale_factor=0.5, resize_labels=True)


def test_labels_keep_their_size_at_test(tiny):
    """IoU is counted at the label's own resolution, whatever the image's scale."""
    experiment = Experiment(tiny(image_scale=0.5))
    assert dataset_config(experiment, 1, 'test')['pipeline'][2]['resize_labels'] is False
    assert dataset_config(experiment, 1, 'train')['pipeline'][2]['resize_labels'] is True


def test_evaluation_as_published():
    """mib_crop512: short side to 512, the centre 512x512, labels moved along, as MiB's tables."""
    from pathlib import Path

    import numpy as np
    from mmengine.dataset import Compose

    from incseg.apis import load_config
    from incseg.registry import TRANSFORMS

    path = Path(__file__).parents[3] / 'configs/mib/bisenet_r101_15-1.py'
    experiment = Experiment(load_config(path, {'eval_mode': 'mib_crop512'}))
    steps = dataset_config(experiment, 0, 'test')['pipeline']
    labels = np.zeros((256, 300), np.uint8)
    labels[:, 150:] = 1
    image = np.repeat(labels[..., None] * 200, 3, 2)
    sample = Compose([TRANSFORMS.build(step) for step in steps])(dict(img=image, gt_seg_map=labels))
    truth = sample['data_samples'].gt_sem_seg.data[0]
    assert truth.shape == (512, 512) and sample['inputs'].shape == (3, 512, 512)
    assert sample['data_samples'].ori_shape == (512, 512)
    assert int((truth[:, :256] != 0).sum()) == 0 and bool((truth[:, 256:] == 1).all())
    whole = Experiment(load_config(path))
    assert [step['type'] for step in dataset_config(whole, 0, 'test')['pipeline']] == [
        'LoadImage',
        'LoadLabels',
        'PackSegInputs',
    ]


def test_image_labels_instead_of_masks(tiny_wilson):
    """If it fails, an added step loads masks, or evaluation and step 0 lack them."""
    experiment = Experiment(tiny_wilson())
    kinds = {
        (k, mode): ('LoadLabels' in [step['type'] for step in config['pipeline']], config['type'])
        for k in (0, 1)
        for mode in ('train', 'test')
        for config in [
            step_labels(experiment, k).dataset()
            if mode == 'train'
            else dataset_config(experiment, k, mode)
        ]
    }
    assert kinds == {
        (0, 'train'): (True, 'IncrementalDataset'),
        (0, 'test'): (True, 'IncrementalDataset'),
        (1, 'train'): (False, 'WeakDataset'),
        (1, 'test'): (True, 'IncrementalDataset'),
    }


@pytest.mark.parametrize(
    'gpu, wanted, pinned',
    [(True, True, True), (True, None, True), (True, False, False), (False, True, False)],
)
def test_pinned_memory(tiny, monkeypatch, gpu, wanted, pinned):
    """If it fails, batches wait for the GPU, or a machine without one is asked to pin."""
    monkeypatch.setattr('torch.cuda.is_available', lambda: gpu)
    config = tiny()
    config.schedule.pop('pin_memory', None)
    if wanted is not None:
        config.schedule['pin_memory'] = wanted
    assert loader_config(Experiment(config), dict())['pin_memory'] is pinned
