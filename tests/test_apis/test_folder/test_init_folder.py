"""A newcomer's folder: what is said of it, what is refused, and the config that is written."""

import numpy as np
import pytest
from PIL import Image

from incseg.apis import load_config
from incseg.apis.folder.config import default_protocol, iterations, network_at_hand
from incseg.apis.folder.init_folder import init_folder
from incseg.engine.recipe.names import resolve
from incseg.errors import InvalidInputError, MissingFileError, UserError
from incseg.registry import DATASETS
from tests.common.folders import coco_json, write_files, write_own_folder

COLOURS = np.array([(0, 0, 0), (200, 0, 0), (0, 200, 0)], np.uint8)
MASK = np.array([[0, 1, 2], [0, 1, 2]], np.uint8)
MANY = np.arange(17 * 17 * 3).reshape(17, 17, 3) % 256
PLAIN = dict(background=0, void=255, a=1, b=2)


def told(root, out, **options):
    """The lines of a folder's report, and the config that was written."""
    lines = []
    init_folder(root, out, tell=lines.append, **options)
    return '\n'.join(lines), load_config(out)


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'my_config.py'


def one(tmp_path, **files):
    """A folder with one image and what else is named: ``mask``, ``names``, ``image``."""
    places = dict(image='images/a.jpg', mask='masks/a.png', names='classes.txt')
    files = {'image': (2, 3), 'mask': MASK, **files}
    named = {places.get(key, key): content for key, content in files.items()}
    return write_files(tmp_path / 'data', {k: v for k, v in named.items() if v is not None})


def test_a_plain_folder(tmp_path, out):
    """If it fails, a folder's report or its config is wrong where everything is as usual."""
    root = write_own_folder(tmp_path / 'my fruit', 40, ids=(0, 1, 2, 5))
    write_files(root, {'classes.txt': '0 background\n1 apple\n2 pear\n3 plum\n5 fig\n'})
    text, config = told(root, out)
    assert (
        f'{root}: 40 images with masks' in text
        and 'images in images/, masks in masks/, no splits' in text
    )
    assert '| 5     | fig        | 40     | 25.0 % |' in text and 'absent: plum' in text
    assert '32x24 (40)' in text and 'held out for the test (by content)' in text
    assert list(config.classes) == ['apple', 'pear', 'fig'] and config.ids['plum'] == 3
    assert config.protocol.name == '2-1' and config.data.name == 'my_fruit'
    parts = resolve(config['data'], config)
    train, test = (DATASETS.build(parts[split]) for split in ('train', 'test'))
    assert len(train) + len(test) == 40 and len(test) >= 5
    assert train.presence(1, False).all() and train.metainfo['classes'][3] == 'fig'
    assert f'{len(train)} to learn from, {len(test)} held out' in text


def test_splits_and_left_over_files(tmp_path, out):
    """If it fails, images without masks stop the training, or nobody is told of them."""
    files = {}
    for split, number in (('train', 3), ('valid', 2), ('test', 1)):
        for i in range(number):
            files[f'{split}/images/{i}.jpg'] = (24, 32)
            files[f'{split}/masks/{i}.png'] = np.full((24, 32), i % 2 + 1)
    del files['train/masks/2.png'], files['test/masks/0.png']
    files['train/masks/9.png'] = MASK
    text, config = told(write_files(tmp_path / 'data', files), out)
    assert 'without a mask: ' in text and 'train/images/2.jpg' in text
    assert 'masks without an image: ' in text and 'train/masks/9.png' in text
    assert 'test: images without masks, not used' in text
    assert 'split    train (2 images), tested on valid (2)' in text
    assert 'no file names the classes: they are called class_1' in text
    assert (config.test_split, config.held_out) == ('valid', None)
    train = DATASETS.build(resolve(config['data'], config)['train'])
    assert train.image_ids == ['0', '1']


def test_colours_and_their_table(tmp_path, out):
    """If it fails, RGB masks cannot be trained on, or with the wrong names."""
    root = one(tmp_path, mask=COLOURS[MASK], **{'labelmap.txt': 'cat:200,0,0::\ndog:0,200,0::\n'})
    text, config = told(root, out)
    assert '| 200 0 0 | cat' in text and list(config.ids['cat']) == [200, 0, 0]
    dataset = DATASETS.build(resolve(config['data'], config)['train'])
    assert dataset.presence(1, False).tolist() == [[True, True, True]]


def test_palettes_with_a_table_of_colours(tmp_path, out):
    """If it fails, palette masks of an annotation tool get the names of other classes."""
    image = Image.fromarray(MASK * 9)
    image.putpalette(np.repeat(COLOURS, 9, 0).ravel().tolist())
    root = one(tmp_path, **{'labelmap.txt': 'dog:0,200,0::\ncat:200,0,0::\n'})
    image.save(root / 'masks/a.png')
    config = told(root, out)[1]
    assert list(config.ids['cat']) == [200, 0, 0]


def test_objects_of_a_json_file(tmp_path, out):
    """If it fails, COCO's annotations are reported or trained on wrongly."""
    content = coco_json((24, 32), {7: 'cat', 9: 'dog', 3: 'pets'}, a=[(7, 0, 0, 8, 24)], b=[])
    content['annotations'] += [dict(content['annotations'][0], id=9, image_id=2, category_id=9)]
    files = {f'images/{name}.jpg': (24, 32) for name in 'abc'}
    root = write_files(tmp_path / 'data', {**files, 'all.json': content})
    text, config = told(root, out)
    assert '| cat   | cat        | 1      | 12.5 % |' in text and 'absent: pets' in text
    assert 'c.jpg' in text and dict(config.ids) == dict(cat='cat', dog='dog')
    dataset = DATASETS.build(resolve(config['data'], config)['train'])
    assert dataset.presence(1, False).tolist() == [[True, True, False], [True, False, True]]


@pytest.mark.parametrize(
    ('mask', 'names', 'ids', 'classes', 'line'),
    [
        (MASK // 2 * 255, None, {'background': 0, 'object': 255}, ['object'], '255 is taken as'),
        (MASK // 2 * 255, 'crate', {'background': 0, 'crate': 255}, ['crate'], 'taken as crate'),
        (MASK, 'a\nb', PLAIN, ['a', 'b'], 'a has the id 1'),
        (MASK, 'a\nb\nc', dict(void=255, a=0, b=1, c=2), ['a', 'b', 'c'], 'a has the id 0'),
        (MASK, '_background_\na\nb', PLAIN, ['a', 'b'], ''),
        (MASK, '__ignore__\nbg\na\nb', PLAIN, ['a', 'b'], ''),
        (MASK, '2 b\n1 a\n', dict(background=0, void=255, b=2, a=1), ['b', 'a'], ''),
        (MASK // 2 * 7, None, dict(background=0, void=255, class_7=7), ['class_7'], 'class_7'),
    ],
)  # fmt: skip
def test_what_ids_mean(tmp_path, out, mask, names, ids, classes, line):
    """If it fails, ids get the names of other classes, or a guess is not told."""
    text, config = told(one(tmp_path, mask=mask, names=names), out)
    assert (dict(config.ids), list(config.classes)) == (ids, classes)
    assert line in text and 'only 1 images: none is held out' in text
    assert config.test_split == 'train'


@pytest.mark.parametrize(
    ('files', 'message'),
    [
        (dict(mask=None), 'has no masks: pictures lie in'),
        (dict(mask=COLOURS[MASK]), r'no file says which class each is: .*\(200, 0, 0\) 33.3 %'),
        (dict(mask=COLOURS[MASK], names='a\nb'), 'classes.txt. has no colours that say which'),
        (dict(mask=COLOURS[MASK], names='a 200 0 0'), r'does not name: \(0, 200, 0\) 100.0 %; add'),
        (dict(mask=np.zeros((4, 6))), r'masks/a.png.* is \(4, 6\), expected \(2, 3\)'),
        (dict(mask=b'x'), 'masks/a.png.* cannot be read .it is no image'),
        (dict(image=b'x'), 'images/a.jpg.* cannot be decoded'),
        (dict(mask=MASK * 0), 'masks hold no class, only 0 100.0 %, expected'),
        (dict(names='background\na'), 'names the ids 0, 1, but masks hold 2 too .1 masks.'),
        (dict(names='a'), r"names the ids 1, but masks hold 2 too"),
        (dict(mask=None, **{'a.json': '{"images": 1, "annotations": 2}'}), "no list 'images'"),
        (dict(mask=None, **{'a.json': '{"images" "annotations"'}), 'cannot be read as JSON'),
        (dict(mask=None, **{'a.json': coco_json((2, 3), {1: 'cat'}, a=[])}), 'no object of any'),
        (dict(mask=MANY, image=(17, 17)), 'hold 256 different values'),
    ],
)  # fmt: skip
def test_messages(tmp_path, out, files, message):
    """If it fails, a newcomer's folder ends in a traceback, or without a way on."""
    with pytest.raises(UserError, match=message) as caught:
        told(one(tmp_path, **files), out)
    assert '\n' not in str(caught.value) and not out.exists()


def test_counts_in_messages(tmp_path, out):
    """If it fails, one of many broken files is named as if it were the only one."""
    root = write_own_folder(tmp_path / 'data', 5)
    for i in (1, 3):
        (root / f'masks/{i}.png').write_bytes(b'x')
    with pytest.raises(InvalidInputError, match=r'1\.png.*\(2 of 5 masks cannot be read\)'):
        told(root, out)
    for i in (1, 3):
        Image.fromarray(MASK).save(root / f'masks/{i}.png')
    with pytest.raises(InvalidInputError, match=r'1\.png.*\(2 masks of 5 have another size\)'):
        told(root, out)


def test_turned_photographs(tmp_path, out):
    """If it fails, masks that were drawn on stored pixels are refused without need."""
    root = one(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save(root / 'images/a.jpg', exif=exif)
    text, config = told(root, out)
    assert "exif='ignore'" in text and config.exif == 'ignore'


def test_the_users_choices(tmp_path, out):
    """If it fails, an option of the command does not reach the config, or a slip is not told."""
    root = write_own_folder(tmp_path / 'data', 30)
    write_files(tmp_path, {'names.txt': 'background\na\nb\nc'})
    options = dict(classes=tmp_path / 'names.txt', protocol='1-1', network='deeplabv3_lite0')
    _, config = told(root, out, method='plop', **options)
    assert (config.protocol.name, config.method.name) == ('1-1', 'plop')
    assert config.model.backbone.type == 'TimmBackbone' and list(config.classes) == ['a', 'b', 'c']
    for option, message in (
        (dict(), 'exists already.*--force'),
        (dict(force=True, network='x'), "--network is 'x', expected .*'bisenet_r18'"),
        (dict(force=True, method='x'), "--method is 'x', expected"),
        (dict(force=True, protocol='9-1'), 'base is 9, expected'),
        (dict(force=True, classes='gone.txt'), 'gone.txt.* does not exist'),
    ):
        with pytest.raises((InvalidInputError, MissingFileError), match=message):
            told(root, out, **option)
    assert load_config(out).method.name == 'plop', 'an error has changed the config'
    with pytest.raises(InvalidInputError, match="--out is 'a.txt', expected a .py file"):
        told(root, 'a.txt')


def test_defaults(monkeypatch):
    """If it fails, a schedule is far too long or short, or a network has no weights at hand."""
    assert [default_protocol(n) for n in (1, 2, 3, 6, 20)] == [
        'offline',
        '1-1',
        '2-1',
        '4-2',
        '13-7',
    ]
    assert [iterations(n) for n in (1, 100, 10**6)] == [200, 400, 4000]
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    assert network_at_hand()[0] == 'bisenet_r18'
