"""``incseg predict``: what is written for pictures, folders and arrays."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from incseg.apis import inference_model, init_model, predict
from incseg.apis.prediction.files import KINDS
from incseg.apis.prediction.predict import dataset_ids
from incseg.cli.models import KINDS as CHOICES
from incseg.errors import InvalidInputError, MissingFileError

TOY = dict(imports=['toy_parts'], tell=lambda line: None)


def expected_ids(name, **test_cfg):
    """What the library predicts, in the dataset ids of ``final.pth``."""
    model = init_model('final.pth', imports=['toy_parts'], test_cfg=test_cfg or None, fast=True)
    labels = inference_model(model, name).pred_sem_seg.data[0].numpy().astype(int)
    return np.where(labels > 0, labels + 10, 0)


def test_every_kind_of_file(here):
    """If it fails, a label map, mask or probability says another class than the network."""
    assert predict('final.pth', 'photos', write=list(KINDS), **TOY) == []
    out = Path('predictions')
    assert {path.name for path in out.iterdir()} == {
        *('labels', 'overlays', 'probabilities', 'coco.json', 'classes.json')
    }
    table = json.loads((out / 'classes.json').read_text())
    coco = json.loads((out / 'coco.json').read_text())
    assert [each['id'] for each in table] == [0, *(10 + i for i in range(1, len(table)))]
    assert coco['categories'] == [dict(id=e['id'], name=e['name']) for e in table[1:]]
    assert [each['file_name'] for each in coco['images']] == ['photos/a.png', 'photos/b.png']
    for number, name in enumerate('ab', 1):
        truth = expected_ids(f'photos/{name}.png')
        picture = Image.open(out / f'labels/{name}.png')
        assert picture.mode == 'P' and np.array_equal(np.array(picture), truth)
        for each in table:
            assert picture.getpalette()[3 * each['id'] :][:3] == each['color']
        stored = np.load(out / f'probabilities/{name}.npz')
        shares = stored['probabilities'].astype(np.float32)
        assert stored['probabilities'].dtype == np.float16 and shares.shape[1:] == truth.shape
        assert np.allclose(shares.sum(0), 1, atol=3e-3)
        assert [*stored['classes']] == [each['name'] for each in table]
        sure = np.sort(shares, 0)[-1] - np.sort(shares, 0)[-2] > 2e-3  # float16 keeps 3 digits
        assert np.array_equal(stored['ids'][shares.argmax(0)][sure], truth[sure]) and sure.any()
        masks = [a for a in coco['annotations'] if a['image_id'] == number]
        assert {a['category_id'] for a in masks} == {*np.unique(truth)} - {0}
        for each in masks:
            assert np.array_equal(
                coco_mask.decode(each['segmentation']) > 0, truth == each['category_id']
            )


def test_windows_and_flips_have_their_probabilities(here):
    """If it fails, probabilities of a large picture are not those that its classes come from."""
    cfg = dict(mode='slide', crop_size=64, stride=32, flip=True)
    large = np.kron(cv2.imread('photos/b.png'), np.ones((3, 3, 1), np.uint8))
    predict('final.pth', large, write=['labels', 'probabilities'], test_cfg=cfg, **TOY)
    shares = np.load('predictions/probabilities/000000.npz')
    truth = expected_ids(large, **cfg)
    assert np.array_equal(np.array(Image.open('predictions/labels/000000.png')), truth)
    ordered = np.sort(shares['probabilities'].astype(np.float32), 0)
    sure = ordered[-1] - ordered[-2] > 2e-3
    best = shares['ids'][shares['probabilities'].argmax(0)]
    assert sure.mean() > 0.5 and np.array_equal(best[sure], truth[sure])


def test_an_overlay_has_a_key_of_the_classes_that_it_shows(here):
    """If it fails, nobody can tell what a colour means, or the background is painted over."""
    predict('final.pth', 'photos/b.png', write=['overlays', 'labels'], opacity=1.0, **TOY)
    shown, plain = cv2.imread('predictions/overlays/b.png'), cv2.imread('photos/b.png')
    ids = np.array(Image.open('predictions/labels/b.png'))
    table = {e['id']: e for e in json.loads(Path('predictions/classes.json').read_text())}
    part = shown[: ids.shape[0], : ids.shape[1]]
    assert np.array_equal(part[ids == 0], plain[ids == 0])
    key = shown[ids.shape[0] :].reshape(-1, 3)[:, ::-1]
    for i, each in table.items():
        assert (part[ids == i] == each['color'][::-1]).all() or i == 0
        if i:
            assert (key == each['color']).all(1).any() == (i in ids), each['name']
    assert len(key) > 20 * ids.shape[1]


def test_nothing_is_written_over(here):
    """If it fails, earlier predictions or a picture are lost without a word."""
    predict('final.pth', 'photos', write=['labels'], **TOY)
    before = Path('predictions/labels/a.png').read_bytes()
    Path('predictions/labels/b.png').unlink()
    with pytest.raises(InvalidInputError, match='exists already'):
        predict('final.pth', 'photos', write=['labels'], **TOY)
    assert not Path('predictions/labels/b.png').exists()
    assert Path('predictions/labels/a.png').read_bytes() == before
    predict('final.pth', 'photos', write=['labels'], force=True, **TOY)
    assert Path('predictions/labels/b.png').exists()
    Path('labels').symlink_to('photos')
    with pytest.raises(InvalidInputError, match='is the input'):
        predict('final.pth', 'photos', out='.', write=['labels'], force=True, **TOY)


def test_equal_names_and_arrays_have_files_of_their_own(here):
    """If it fails, one picture's result replaces another's."""
    cv2.imwrite('a.jpg', np.zeros((40, 40, 3), np.uint8))
    array = np.zeros((32, 32, 3), np.uint8)
    predict('final.pth', ['a.jpg', 'photos', array], write=['labels'], **TOY)
    names = sorted(path.name for path in Path('predictions/labels').iterdir())
    assert names == ['000003.png', 'a.png', 'a_000001.png', 'b.png']


def test_a_damaged_picture_does_not_stop_the_others(here):
    """If it fails, one damaged file costs all that come behind it, or nobody hears of it."""
    Path('photos/aa.jpg').write_bytes(b'\xff\xd8 cut')
    (line,) = predict('final.pth', 'photos', write=['labels'], **TOY)
    assert 'aa.jpg' in line and Path('predictions/labels/b.png').exists()
    with pytest.raises(InvalidInputError, match='aa.jpg'):
        predict('final.pth', 'photos/aa.jpg', 'other', **TOY)
    assert not Path('other').exists()


@pytest.mark.parametrize(
    ('inputs', 'options', 'message'),
    [
        ('nowhere', {}, 'no picture, video or folder at nowhere'),
        ([], {}, 'nothing to predict, expected pictures, videos or folders'),
        ('photos', dict(write=['lables']), "--write is 'lables', expected .*did you mean 'labels'"),
        ('photos', dict(write=[]), '--write is .., expected '),
        ('photos', dict(every=0), '--every is 0, expected a whole number of at least 1'),
        ('photos', dict(opacity=2), '--opacity is 2, expected a number from 0 to 1'),
        ('photos', dict(test_cfg=dict(scales=[0])), r'scales is \[0\], expected'),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(here, inputs, options, message):
    """If it fails, a mistake is found after an hour of predictions, or in a traceback."""
    with pytest.raises((InvalidInputError, MissingFileError), match=message) as error:
        predict('final.pth', inputs, **{**TOY, **options})
    assert '\n' not in str(error.value) and not Path('predictions').exists()


def test_ids_of_a_network_without_a_data_set():
    """If it fails, an imported network has no ids, or those of another step's classes."""
    protocol = dict(steps=[[3, 1], [7]])
    assert dataset_ids(dict(protocol=protocol, step=1), 4) == [0, 3, 1, 7]
    assert dataset_ids(dict(protocol=protocol, step=0), 3) == [0, 3, 1]
    assert dataset_ids(dict(protocol={}, step=0), 3) == [0, 1, 2]
    assert dataset_ids(dict(protocol=dict(steps=[['cat', 'dog']]), step=0), 3) == [0, 1, 2]


def test_the_command_offers_every_kind():
    """If it fails, ``--write`` refuses a kind of file that there is."""
    assert tuple(KINDS) == CHOICES
