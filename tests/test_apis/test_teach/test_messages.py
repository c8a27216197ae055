"""What a user gets wrong is told in one line, before anything is trained."""

import json

import cv2
import numpy as np
import pytest

from incseg.apis.teach import teach
from incseg.apis.teach.mask_classes import classes_of_masks, named_classes
from incseg.engine import train_protocol
from incseg.errors import InvalidInputError, UserError
from tests.common.folders import write_files

KNOWN = ['person', 'cat', 'dog']


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        (['cat'], "--classes is 'cat', expected a class the model does not know; it knows person"),
        ([], 'expected one or more names, as horse or horse=1'),
        (['horse', 'horse=2'], "'horse', expected each name once"),
        (['Cat'], "'Cat', expected another name: the model knows 'cat'"),
        (['background'], 'expected the name of a class'),
        (['type'], "'type', expected another name: in a config it means more"),
        (['$x'], 'expected another name'),
        (['horse', 'cat'], 'which the model knows; .* --classes horse cat=VALUE'),
        (['horse='], "the value of 'horse' in --classes"),
        ([3], 'expected text, as horse or horse=1'),
    ],
)
def test_names(classes, message):
    """If it fails, a wrong name is found after the training, or never."""
    with pytest.raises(InvalidInputError, match=message):
        named_classes(classes, KNOWN)


def test_values_by_name():
    """If it fails, a value on the command line is another one in the masks."""
    named = named_classes(['horse=4', 'cow=128,0,64', 'crate=#0a0B0c', 'cat=2'], KNOWN)
    assert named.new == ('horse', 'cow', 'crate') and named.old == ('cat',)
    assert named.values == dict(horse=4, cow=[128, 0, 64], crate=[10, 11, 12], cat=2)


@pytest.fixture
def masks(tmp_path):
    """Write masks of 4x4 pixels; ``masks({0, 1}, {0, 3})`` returns their paths."""

    def write(*values):
        paths = []
        for i, each in enumerate(values):
            paths.append(str(tmp_path / f'{i:04d}.png'))
            cv2.imwrite(paths[-1], np.resize(np.array(sorted(each), np.uint8), (4, 4)))
        return paths

    return write


@pytest.mark.parametrize(
    ('classes', 'values', 'message'),
    [
        (['crate'], [{0, 1}, {0, 1, 3}], r'0001\.png holds the values 1 and 3 for one class, '
                                         'expected --classes crate=1 NAME=3, or .* background'),
        (['crate'], [{0, 255}], r'masks hold only 0 and 255 \(255 is void\); if 255 is the class: '
                                '--classes crate=255'),
        (['crate'], [{0}], "masks hold only 0, which is background: no 'crate'"),
        (['crate=2'], [{0, 1}], "no mask has the value 2 of 'crate'; the masks hold 0 and 1"),
        (['crate=1'], [{0, 1, 7}], r'holds the value 7, which is of no class; .* NAME=7, or '
                                   '--others background, or --others void'),
        (['crate', 'pallet'], [{0, 1, 2}], 'expected --classes crate=1 pallet=2'),
        (['crate=0'], [{0, 255}], 'gives 0 to a class, and no value is left for the background'),
    ],
)  # fmt: skip
def test_values(masks, classes, values, message):
    """If it fails, a class is learned from the pixels of another one."""
    with pytest.raises(InvalidInputError, match=message):
        classes_of_masks(named_classes(classes, KNOWN), masks(*values))


def test_what_values_mean(masks):
    """If it fails, the pixels of other things are learned as the class, or refused."""
    named = named_classes(['crate'], KNOWN)
    assert classes_of_masks(named, masks({0, 1, 255})).ids == dict(crate=1)
    named = named_classes(['crate=255'], KNOWN)
    assert classes_of_masks(named, masks({0, 255})).ids == dict(crate=255)
    named = named_classes(['crate=1', 'cat=5'], KNOWN)
    found = classes_of_masks(named, masks({0, 1, 5, 9}), 'void')
    assert found.ids == {'crate': 1, 'cat': 5, 'other 9': 9}
    assert (found.classes, found.others) == (('crate', 'cat'), 'void')


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """A model of the toy network that knows the first three classes of Shapes."""
    from incseg.apis import load_config
    from tests.conftest import CONFIGS, TINY, TOY_NETWORK

    folder = tmp_path_factory.mktemp('model')
    options = {**TINY, **TOY_NETWORK, 'protocol.name': '3-2', 'base_steps_dir': str(folder / 'b')}
    config = load_config(CONFIGS / 'mib/bisenet_r18_shapes_4-1.py', options)
    train_protocol(config, folder / 'run', steps=[0])
    return folder / 'run/step_0/final.pth'


def pair(value=1, size=(32, 32)):
    """A picture and its mask."""
    rng = np.random.default_rng(value)
    mask = np.zeros(size, np.uint8)
    mask[8:20, 8:20] = value
    return rng.integers(0, 256, (*size, 3)).astype(np.uint8), mask


@pytest.fixture
def folder(tmp_path):
    """Write six pictures and masks."""
    files = {}
    for i in range(6):
        img, mask = pair()
        files |= {f'images/{i:04d}.png': img + np.uint8(i), f'masks/{i:04d}.png': mask}
    return write_files(tmp_path / 'crates', files)


def call(model, folder, **options):
    lines = []
    given = dict(masks=folder / 'masks', classes=['crate'], out=folder.parent / 'out', epochs=1)
    teach(model, folder / 'images', **{**given, 'tell': lines.append, **options})
    return lines


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(method='mibb'), "--method is 'mibb', expected 'ewc'.* did you mean 'mib'"),
        (dict(others='old'), "--others is 'old', expected 'known', 'background' or 'void'"),
        (
            dict(val='0.2'),
            r"--val is '0.2', expected a folder, or none: 6 images are fewer than 25",
        ),
        (dict(val='nowhere'), "--val is 'nowhere', which is not there"),
        (dict(val='60'), "--val is '60', expected a folder, or none"),
        (dict(device='cuda:7'), "--device is 'cuda:7', expected 'cpu' or 'cuda'"),
        (dict(method='joint'), "--method is 'joint', .*; joint learns from all classes at once"),
        (dict(method='wilson'), 'wilson learns from image-level labels'),
        (dict(epochs=0), '--epochs is 0, expected'),
        (dict(batch_size=-1), '--batch-size is -1, expected'),
        (dict(seed=-1), '--seed is -1, expected'),
        (dict(options={'epohcs': 1}), "did you mean 'epochs'"),
    ],
)
def test_options(model, folder, options, message):
    """If it fails, a wrong option is a traceback, or is found after the training."""
    with pytest.raises(UserError, match=message):
        call(model, folder, **options)
    assert not (folder.parent / 'out').exists(), 'nothing was trained'


def test_a_folder_that_does_not_fit(model, folder):
    """If it fails, pictures without masks are learned as background, or test pictures are."""
    with pytest.raises(UserError, match=r"--images is '.*gone/images', which is not there"):
        call(model, folder.parent / 'gone')
    val = folder.parent / 'val'
    for kind in ('images', 'masks'):
        (val / kind).mkdir(parents=True)
        name = '0003.png'
        (val / kind / f'x{name}').write_bytes((folder / kind / name).read_bytes())
    with pytest.raises(
        UserError, match=r'1 images of --val are also in --images, first x0003\.png'
    ):
        call(model, folder, val=str(val))
    (folder / 'masks/0002.png').unlink()
    message = (
        r'1 of 6 images in .* have no mask, first .*images/0002\.png, expected .*masks/0002\.png'
    )
    with pytest.raises(UserError, match=message):
        call(model, folder)


def test_a_mask_of_another_size(model, folder):
    """If it fails, the sizes are found out after the training has begun."""
    cv2.imwrite(str(folder / 'masks/0004.png'), pair(size=(16, 32))[1])
    with pytest.raises(UserError, match=r'0004\.png. is \(16, 32\), expected \(32, 32\)'):
        call(model, folder)


def test_no_model(tmp_path, folder, model):
    """If it fails, a file of another library is a traceback."""
    import torch

    torch.save(dict(weight=torch.zeros(1)), tmp_path / 'net.pth')
    with pytest.raises(UserError, match=r'net\.pth.* incseg import .*net\.pth --network NAME'):
        call(tmp_path / 'net.pth', folder)
    with pytest.raises(UserError, match='gone.pth'):
        call(tmp_path / 'gone.pth', folder)


def test_few_images_have_no_test(model, folder):
    """If it fails, a class is scored on images that it was learned from, in silence."""
    lines = call(model, folder)
    assert any('6 images are fewer than 25: --val names others to test on' in x for x in lines)
    ledger = json.loads((folder.parent / 'out/results.json').read_text())
    assert ledger['steps'][-1]['iou']['crate'] is None
