"""Inference from Python: networks, images, folders, painted results."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from incseg.apis import Inferencer, inference_model, init_model
from incseg.apis.image_files import list_images
from incseg.datasets import ShapesDataset
from incseg.engine import train_protocol
from incseg.errors import InvalidInputError, MissingFileError
from incseg.models.backbones import BatchNorm


@pytest.fixture
def trained(tiny, tmp_path):
    train_protocol(tiny(epochs=2), tmp_path / 'run', [0], reuse=False)
    return tmp_path / 'run/step_0/final.pth'


def test_without_a_checkpoint(tiny):
    """An untrained network of the last step: all classes, in learning order."""
    model = init_model(tiny(**{'protocol.class_order': [6, 2, 3, 4, 5, 1]}), device='cpu')
    assert model.dataset_meta['classes'][1] == 'star' and len(model.dataset_meta['classes']) == 7
    result = inference_model(model, np.zeros((20, 30, 3), np.uint8))
    assert result.pred_sem_seg.data.shape == (1, 20, 30)
    assert not model.training


def test_same_as_the_evaluation(tiny, trained):
    """A path or an array, alone or among others, gives what the test loop predicts."""
    model = init_model(tiny(), trained, device='cpu')
    assert model.dataset_meta['classes'] == ['background', 'disc', 'square', 'triangle', 'ring']
    data = ShapesDataset(split='test', length=2, size=32)
    images = [data.get_data_info(i)['img'] for i in range(2)]
    one, two = inference_model(model, images)
    alone = inference_model(model, images[1])
    assert torch.equal(two.pred_sem_seg.data, alone.pred_sem_seg.data)
    with torch.no_grad():
        inputs = torch.from_numpy(images[0][..., ::-1].copy()).permute(2, 0, 1)[None].float()
        mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
        std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
        logits = model.extract((inputs - mean) / std, auxiliary=False).full_size('decode_head')
    assert torch.equal(one.pred_sem_seg.data[0].long(), logits[0].argmax(0))


def test_fast(tiny, trained):
    """Made ready for inference only where asked; the Inferencer asks, and need not."""

    def norms(model):
        return sum(isinstance(module, BatchNorm) for module in model.modules())

    plain = init_model(tiny(), trained, device='cpu')
    fast = init_model(tiny(), trained, device='cpu', fast=True)
    assert norms(plain) > 0 and norms(fast) == 0
    assert norms(Inferencer(tiny(), trained, device='cpu').model) == 0
    assert norms(Inferencer(tiny(), trained, device='cpu', fast=False).model) == norms(plain)
    assert fast.dataset_meta == plain.dataset_meta
    image = ShapesDataset(split='test', length=1, size=64).get_data_info(0)['img']
    labels = [inference_model(model, image).pred_sem_seg.data for model in (plain, fast)]
    assert (labels[0] == labels[1]).float().mean() > 0.98  # bfloat16 where the CPU has it


def test_inferencer_paints_folders(tiny, trained, tmp_path):
    """A folder in, painted pictures of the images' own size out."""
    (tmp_path / 'in').mkdir()
    for i in range(2):
        cv2.imwrite(str(tmp_path / f'in/{i}.png'), np.full((20, 30 + i, 3), 90, np.uint8))
    segment = Inferencer(tiny(), trained, device='cpu')
    results = segment(tmp_path / 'in', out_dir=tmp_path / 'out')
    assert [result.pred_sem_seg.data.shape[-1] for result in results] == [30, 31]
    assert cv2.imread(str(tmp_path / 'out/1.png')).shape == (20, 31, 3)


@pytest.mark.parametrize('model', [3, None, ['final.pth']])
def test_what_is_no_model_is_refused(model):
    """If it fails, it is a TypeError from deep inside."""
    with pytest.raises(InvalidInputError, match=r'the model is .*expected the path of a final.pth'):
        Inferencer(model)


def test_bad_input(tiny, trained, tmp_path):
    """Missing images, empty folders and missing checkpoints are named."""
    segment = Inferencer(tiny(), trained, device='cpu')
    with pytest.raises(MissingFileError, match='no image and no folder at .*gone.png'):
        segment(tmp_path / 'gone.png')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InvalidInputError, match='empty holds no image'):
        segment(tmp_path / 'empty')
    with pytest.raises(MissingFileError, match='no checkpoint at'):
        init_model(tiny(), tmp_path / 'gone.pth')


def test_list_images(tmp_path):
    """A folder is its images in order; arrays and sequences are taken as they are."""
    for name in ('b.PNG', 'a.jpg', 'notes.txt'):
        (tmp_path / name).touch()
    assert list_images(tmp_path) == [tmp_path / 'a.jpg', tmp_path / 'b.PNG']
    array = np.zeros((2, 2, 3), np.uint8)
    assert list_images(array) == [array]
    assert list_images(['x.jpg', array]) == ['x.jpg', array]


def test_equal_names_do_not_overwrite_each_other(tiny, tmp_path):
    """If it fails, a folder with a.jpg and a.png gives one painted picture for two."""
    config = tiny(**{'protocol.name': 'offline'})
    train_protocol(config, tmp_path / 'run', reuse=False)
    (tmp_path / 'in').mkdir()
    for name in ('a.jpg', 'a.png', 'b.png'):
        cv2.imwrite(str(tmp_path / 'in' / name), np.zeros((32, 32, 3), np.uint8))
    segment = Inferencer(config, tmp_path / 'run/step_0/final.pth')
    assert len(segment(tmp_path / 'in', out_dir=tmp_path / 'out')) == 3
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'a.png',
        'a_000001.png',
        'b.png',
    ]


def test_pictures_are_read_as_the_test_set_reads_them(tiny, tmp_path):
    """If it fails, a network trained on stored pictures, or on 16 bits, sees other ones here."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (30, 20)).save(tmp_path / 'a.png', exif=exif)
    Image.fromarray(np.full((20, 30), 900, np.uint16)).save(tmp_path / 'b.png')
    sizes = {}
    for rule in ('apply', 'ignore'):
        config = tiny(**{'data.test.exif': rule, 'data.test.value_range': [0, 1023]})
        segment = Inferencer(config, device='cpu')
        found = segment([tmp_path / 'a.png', tmp_path / 'b.png'], out_dir=tmp_path / rule)
        sizes[rule] = tuple(found[0].pred_sem_seg.data.shape[1:])
        assert cv2.imread(str(tmp_path / rule / 'a.png')).shape[:2] == sizes[rule]
        assert cv2.imread(str(tmp_path / rule / 'b.png')).shape == (20, 30, 3)
    assert sizes == dict(apply=(30, 20), ignore=(20, 30))
    with pytest.raises(InvalidInputError, match='value_range'):
        inference_model(init_model(tiny(), device='cpu'), tmp_path / 'b.png')
