"""A run goes on with the images, masks and networks that it was begun with."""

import shutil

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from PIL import Image

from incseg.apis import load_config
from incseg.datasets.label_maps import write_label_file
from incseg.engine import train_protocol
from incseg.errors import InvalidInputError
from incseg.registry import HOOKS
from tests.common.toys import TOY_NETWORK
from tests.conftest import CONFIGS


@HOOKS.register_module()
class StopAtStep(Hook):
    """Breaks the training of one step off, after its first file to resume from."""

    step = None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.work_dir.endswith(f'step_{self.step}') and batch_idx == 1:
            raise KeyboardInterrupt


@pytest.fixture
def data(tmp_path):
    """Twelve pictures of three classes, and the config of a protocol of two steps on them."""
    for split in ('train', 'val'):
        (tmp_path / 'data/images' / split).mkdir(parents=True)
        for i in range(12):
            mask = np.zeros((36, 40), np.uint8)
            mask[8:28, 4:16], mask[8:28, 24:36] = 1 + i % 2, 2 + i % 2
            pixels = np.random.default_rng(i).integers(0, 99, (36, 40, 3), np.uint8)
            Image.fromarray(pixels + 50 * mask[..., None]).save(
                tmp_path / f'data/images/{split}/{i:02}.png'
            )
            write_label_file(tmp_path / f'data/labels/{split}/{i:02}.png', mask)

    def load(**options):
        source = dict(type='SegDataset', data_root='$data_root', metainfo=dict(classes='$classes'))
        leaf = tmp_path / 'data_2-1.py'
        leaf.write_text(
            f"_base_ = ['{CONFIGS}/mib/bisenet_r18_camvid_6-1.py']\n"
            "classes = ('background', 'a', 'b', 'c')\n"
            f'source = {source!r}\n'
            "data = dict(name='d', train=dict(_delete_=True, split='train', **source),"
            " test=dict(_delete_=True, split='val', **source))\ndel source\n"
            "custom_hooks = dict(stop=dict(type='StopAtStep'))\n"
        )
        small = dict(
            pretrained=False,
            epochs=1,
            batch_size=2,
            crop_size=32,
            num_workers=0,
            data_root=str(tmp_path / 'data'),
            base_steps_dir=str(tmp_path / 'base'),
        )
        return load_config(
            leaf,
            {
                **small,
                **TOY_NETWORK,
                'protocol.name': '2-1',
                'schedule.checkpoint_interval': 1,
                **options,
            },
        )

    StopAtStep.step = None
    yield load
    StopAtStep.step = None


def interrupted(load, tmp_path, step=1):
    StopAtStep.step = step
    with pytest.raises(KeyboardInterrupt):
        train_protocol(load(), tmp_path / 'run', reuse=False)
    StopAtStep.step = None
    assert (tmp_path / f'run/step_{step}/resume.pth').is_file()


def change_mask(root):
    write_label_file(root / 'labels/train/00.png', np.ones((36, 40), np.uint8))


def change_image(root):
    Image.new('RGB', (40, 36)).save(root / 'images/train/00.png')


def change_test(root):
    Image.new('RGB', (40, 36)).save(root / 'images/val/03.png')


def remove_half(root):
    for i in range(6):
        for kind in ('images', 'labels'):
            (root / f'{kind}/train/{i:02}.png').unlink()


@pytest.mark.parametrize(
    ('change', 'finished'),
    [(change_mask, False), (change_image, False), (change_test, True), (remove_half, False)],
)
def test_other_data(data, tmp_path, change, finished):
    """If it fails, half a run is trained on other images, and its numbers belong to neither."""
    if finished:
        train_protocol(data(), tmp_path / 'run', reuse=False)
    else:
        interrupted(data, tmp_path)
    change(tmp_path / 'data')
    kind = 'test' if change is change_test else 'training'
    with pytest.raises(InvalidInputError, match=f'the {kind} images or masks of step 0 are oth'):
        train_protocol(data(), tmp_path / 'run', reuse=False, resume=True)


def test_another_place_of_the_same_data(data, tmp_path):
    """If it fails, a run cannot go on after its data were moved; or other data pass for moved."""
    interrupted(data, tmp_path)
    shutil.move(tmp_path / 'data', tmp_path / 'moved')
    moved = data(data_root=str(tmp_path / 'moved'))
    shutil.copytree(tmp_path / 'moved', tmp_path / 'other')
    change_mask(tmp_path / 'other')
    with pytest.raises(InvalidInputError, match='the training images or masks of step 0 are oth'):
        train_protocol(
            data(data_root=str(tmp_path / 'other')), tmp_path / 'run', reuse=False, resume=True
        )
    ledger = train_protocol(moved, tmp_path / 'run', reuse=False, resume=True)
    assert len(ledger.steps) == 2


def zeroed(path):
    content = torch.load(path, weights_only=True)
    for value in content['state_dict'].values():
        value.zero_()
    torch.save(content, path)


def test_another_teacher(data, tmp_path):
    """If it fails, a step learns from a network that was exchanged or emptied."""
    interrupted(data, tmp_path)
    teacher = tmp_path / 'run/step_0/final.pth'
    shutil.copy(teacher, tmp_path / 'good.pth')
    train_protocol(data(seed=7), tmp_path / 'other', [0], reuse=False)
    shutil.copy(tmp_path / 'other/step_0/final.pth', teacher)
    with pytest.raises(InvalidInputError, match='step_0/final.pth is not the network whose num'):
        train_protocol(data(), tmp_path / 'run', reuse=False, resume=True)
    zeroed(teacher)
    with pytest.raises(InvalidInputError, match='step_0/final.pth'):
        train_protocol(data(), tmp_path / 'run', reuse=False, resume=True)
    shutil.copy(tmp_path / 'good.pth', teacher)
    train_protocol(data(), tmp_path / 'run', reuse=False, resume=True)


def test_the_network_that_a_step_began_from(data, tmp_path):
    """If it fails, an interrupted step goes on from another previous step than it began from."""
    interrupted(data, tmp_path)
    (tmp_path / 'run/results.json').unlink()  # nothing but the step's own record is left
    train_protocol(data(epochs=2), tmp_path / 'other', [0], reuse=False)
    shutil.copy(tmp_path / 'other/step_0/final.pth', tmp_path / 'run/step_0/final.pth')
    with pytest.raises(InvalidInputError, match='step 1 was begun from another network than'):
        train_protocol(data(), tmp_path / 'run', [1], reuse=False, resume=True)


def test_base_steps_follow_the_content(data, tmp_path):
    """If it fails, a shared base step is taken that was trained on other masks."""
    first = train_protocol(data(), tmp_path / 'a', [0])
    assert train_protocol(data(), tmp_path / 'b', [0]).steps[0]['reused_from']
    change_mask(tmp_path / 'data')
    assert 'reused_from' not in train_protocol(data(), tmp_path / 'c', [0]).steps[0]
    assert first.steps[0]['network']
