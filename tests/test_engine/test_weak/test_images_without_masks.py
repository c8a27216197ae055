"""Images without a mask: who may have none, and that the weak steps never miss it."""

import json

import cv2
import pytest

from incseg.apis import load_config
from incseg.datasets import ShapesDataset, write_image_labels
from incseg.engine import Experiment, train_protocol
from incseg.engine.labels import masks_needed, training_set
from incseg.engine.weak.seam_config import weak_training_set
from incseg.errors import MissingFileError
from tests.conftest import CONFIGS, TINY
from tests.test_engine.test_weak.conftest import SMALL

COUNT = 32


@pytest.fixture
def root(tmp_path):
    """Shapes on disk, with the classes of each image in a JSON file beside the folders."""
    shapes = ShapesDataset(length=COUNT, size=32)
    for i in range(COUNT):
        info = shapes.get_data_info(i)
        for kind, content in (('images', info['img']), ('labels', info['gt_seg_map'])):
            path = tmp_path / 'data' / kind / 'train' / f'{info["image_id"]}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), content)
    write_image_labels(
        tmp_path / 'data' / 'labels.json',
        shapes.image_ids,
        shapes.presence(),
        shapes.metainfo['classes'],
    )
    return tmp_path / 'data'


@pytest.fixture
def weak(root, tmp_path):
    """``weak('mib_s', **options)``: an S row on these files, labels from the JSON file."""

    def load(method, **options):
        config = load_config(
            CONFIGS / method / 'bisenet_r18_shapes_4-2.py',
            {
                **TINY,
                **SMALL,
                'base_steps_dir': str(tmp_path / 'base'),
                'seam_dir': str(tmp_path / 'seam'),
                'seam.image_labels': dict(type='JSONImageLabels', path=str(root / 'labels.json')),
                **options,
            },
        )
        config.data.train = dict(
            type='SegDataset', data_root=str(root), metainfo=dict(ShapesDataset.METAINFO)
        )
        return config

    return load


def shown(root):
    """``{image id: class names}``."""
    return json.loads((root / 'labels.json').read_text())


def remove_masks(root, wanted):
    """Delete the masks of images whose class names are so; returns how many."""
    names = [name for name, classes in shown(root).items() if wanted(set(classes))]
    for name in names:
        (root / f'labels/train/{name}.png').unlink()
    return len(names)


def test_who_needs_masks(weak, tiny):
    """A mask is dispensable where image-level labels come from elsewhere and steps use them."""
    assert masks_needed(None) and masks_needed(dict(type='MaskImageLabels'))
    assert not masks_needed(dict(type='VOCXMLImageLabels'))
    listed, derived = (
        Experiment(weak('mib_s')),
        Experiment(weak('mib_s', **{'seam.image_labels': dict(type='MaskImageLabels')})),
    )
    for make in (training_set, weak_training_set):
        assert make(listed)['partly_labelled'] is True and 'partly_labelled' not in make(derived)
    config = weak('mib_s')
    config.annotation = None  # SEAM alone; the steps learn from masks
    assert 'partly_labelled' not in training_set(Experiment(config))
    assert weak_training_set(Experiment(config))['partly_labelled'] is True


def test_weak_steps_need_no_masks(weak, root, tmp_path):
    """MiB-S where no image of the weak step has a mask: its images are those that the labels name,
    the base step has the others; SEAM, pseudo-labels and training never look for one."""
    new = {'cross', 'star'}
    removed = remove_masks(root, lambda classes: classes & new)
    ledger = train_protocol(weak('mib_s'), tmp_path / 'w')
    assert 8 <= removed < COUNT
    assert [step['train_images'] for step in ledger.steps] == [COUNT - removed, removed]


def test_joint_without_any_mask(weak, root, tmp_path):
    """Joint-S learns every class from image-level labels."""
    assert remove_masks(root, lambda classes: True) == COUNT
    (root / 'labels' / 'train').rmdir()
    ledger = train_protocol(weak('joint_s'), tmp_path / 'w')
    assert ledger.steps[0]['train_images'] == COUNT


def test_base_masks_under_pseudo_labels(weak, root, tmp_path):
    """Joint training with masks of the base classes: an image without one has pseudo-labels."""
    new = {'cross', 'star'}
    remove_masks(root, lambda classes: classes & new)
    ledger = train_protocol(weak('joint_s', **{'annotation.steps': 'added'}), tmp_path / 'w')
    assert ledger.steps[0]['train_images'] == COUNT


@pytest.mark.parametrize('method', ['mib_s', 'joint_s'])
def test_a_mask_that_is_needed(method, weak, root, tmp_path):
    """An image with base classes alone: its file is named before anything is trained."""
    new = {'cross', 'star'}
    removed = remove_masks(root, lambda classes: not classes & new)
    with pytest.raises(
        MissingFileError,
        match=(
            r"labels/train/.*png' does not exist: the image shows .* and no class of a step "
            rf'without masks, so the base step needs it \({removed} such images'
        ),
    ):
        train_protocol(weak(method, **{'annotation.steps': 'added'}), tmp_path / 'w')
    assert not (tmp_path / 'w' / 'step_0').exists()


def test_labels_from_masks_need_all(weak, root, tmp_path):
    """What is derived from masks cannot be had without; the file is named."""
    remove_masks(root, lambda classes: 'star' in classes)
    config = weak('mib_s', **{'seam.image_labels': dict(type='MaskImageLabels')})
    with pytest.raises(MissingFileError, match='label file .* does not exist'):
        train_protocol(config, tmp_path / 'w')
    assert not (tmp_path / 'w').exists() and not (tmp_path / 'seam').exists()
