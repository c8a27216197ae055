"""Lists of images in the forms that are in use, and lines about what is left over."""

import logging

import pytest

from incseg.datasets import SegDataset, VOCDataset, image_lists, list_files
from incseg.errors import InvalidInputError, MissingFileError

META = dict(classes=('background', 'cat'))
IDS = {'a': [[0, 1]], 'b': [[1, 1]], 'my c': [[0, 0]]}
TRAIN = dict(img_path='images/train', seg_map_path='labels/train')


@pytest.fixture
def root(tmp_path, write_image, write_label):
    for name, ids in IDS.items():
        write_image(tmp_path / f'd/images/train/{name}.jpg', (1, 2))
        write_label(tmp_path / f'd/labels/train/{name}.png', ids)
    return tmp_path / 'd'


def listed(root, content, **arguments):
    (root / 'list.txt').write_bytes(content)
    return SegDataset(str(root), metainfo=META, ann_file='list.txt', data_prefix=TRAIN, **arguments)


ALL = ['a', 'b', 'my c']
FORMS = {
    'ids': 'a\nb\nmy c\n',
    'crlf, blank lines, comments, mark': '\ufeff# train\r\na\r\n\r\n#\r\n b \r\nmy c',
    'names': 'a.jpg\nb.jpg\nmy c.jpg',
    'paths': 'images/train/a.jpg\n./images/train/b.jpg\nimages/train/my c.jpg',
    'dots': './a\n././b\n./my c.jpg',
    'slash': '/images/train/a.jpg\n/images/train/b.jpg\n/images/train/my c.jpg',
    'paths without ending': 'images/train/a\n/images/train/b\nmy c',
    'whole paths': '{root}/images/train/a.jpg\n{root}/images/train/b.jpg\nmy c',
    'pairs': '/images/train/a.jpg /labels/train/a.png\nimages/train/b.jpg labels/train/b.png\n'
    'my c.jpg my c.png',
    'tabs': 'a.jpg\ta.png\nb.jpg\t\tb.png\nmy c.jpg\tmy c.png',
    'table': 'image,mask\n"a.jpg","a.png"\n"b.jpg","b.png"\n"my c.jpg","my c.png"',
    'table of tabs': 'img_path\tlabel_path\na.jpg\ta.png\nb.jpg\tb.png\nmy c.jpg\tmy c.png',
    'commas': 'a.jpg,a.png\nb.jpg, b.png\nmy c.jpg;my c.png',
}


@pytest.mark.parametrize('form', FORMS)
def test_forms(root, form):
    """If it fails, a usual list is answered with advice to download the data again."""
    dataset = listed(root, FORMS[form].replace('{root}', str(root)).encode())
    assert dataset.image_ids == ALL
    for i, name in enumerate(ALL):
        info = dataset.get_data_info(i)
        assert info['img_path'] == str(root / f'images/train/{name}.jpg')
        assert info['seg_map_path'] == str(root / f'labels/train/{name}.png')


def test_endings_of_a_list_count_without_case(root):
    """A list made on a machine that does not tell .jpg from .JPG."""
    assert listed(root, b'a.JPG a.PNG\nb.Jpg').image_ids == ['a', 'b']


def test_lists_of_deeplab_and_sbd(make_voc):
    """The augmented list that many repositories have: pairs of paths with a leading slash."""
    root = make_voc(train_aug={'x': [[1, 2]], 'y': [[0, 3]]}, val={'z': [[1, 1]]})
    lists = root / 'ImageSets/Segmentation'
    for split, names in (('train_aug', 'xy'), ('val', 'z')):
        lines = [f'/JPEGImages/{n}.jpg /SegmentationClassAug/{n}.png' for n in names]
        (lists / f'{split}.txt').write_text('\n'.join(lines))
        assert VOCDataset(str(root), split).image_ids == list(names)
    (lists / 'train_aug.txt').rename(lists / 'aug.txt')
    (lists / 'train.txt').write_text('/JPEGImages/x.jpg /SegmentationClass/x.png\n')
    assert VOCDataset(str(root), 'train_aug').image_ids == ['x', 'y']


def test_a_pair_names_its_own_files(root, write_image, write_label):
    """The list goes before the folders and endings of the arguments."""
    write_image(root / 'more/a.bmp', (1, 2))
    write_label(root / 'masks/a_mask.png', [[1, 1]])
    write_image(root / 'images/train/b.png', (1, 2))
    dataset = listed(root, b'more/a.bmp masks/a_mask.png\nb.png')
    first, second = (dataset.get_data_info(i) for i in (0, 1))
    assert first['img_path'] == str(root / 'more/a.bmp') and first['image_id'] == 'more/a'
    assert first['seg_map_path'] == str(root / 'masks/a_mask.png')
    assert second['img_path'] == str(root / 'images/train/b.png')
    assert dataset.presence(1, False).tolist() == [[False, True], [False, True]]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('a.jpg 1', r"line 1 of image list .* is 'a.jpg 1', expected an image id, the path of"),
        ('a\nb\t-1', 'line 2 of image list'),
        ('../a.jpg', 'a path below the image folder'),
        ('a.jpg ../../etc/x.png', 'a path below the image folder'),
        ('/elsewhere/a', 'a path below the image folder'),
        ('# only\n\n', 'is empty, expected one image id per line'),
    ],
)
def test_other_lines_are_named(root, content, message):
    """The line's number and the forms are told."""
    with pytest.raises(InvalidInputError, match=message):
        listed(root, content.encode())


@pytest.mark.parametrize(
    ('content', 'path'),
    [
        ('/JPEGImages/a.jpg', 'JPEGImages/a.jpg'),
        ('a.jpg masks/a.png', 'labels/train/masks/a.png'),
        ('/elsewhere/x/a.jpg', 'elsewhere/x/a.jpg'),
    ],
)
def test_a_path_that_leads_nowhere(root, content, path):
    """If it fails, the advice is to get data that are there."""
    with pytest.raises(MissingFileError, match=f'{path}. does not exist') as error:
        listed(root, content.encode())
    assert 'the list of images names it' in str(error.value)


@pytest.mark.parametrize(
    ('content', 'advice'),
    [
        (b'images\\train\\a.jpg', 'below data_root, with / between their parts'),
        (b'/elsewhere/x/a.jpg', 'or below data_root'),
        (b'a\nnone', 'the list of images names it; put images'),
        ('a\nb'.encode('utf-16'), 'save it as UTF-8'),
    ],
)
def test_the_advice_is_about_the_list(root, content, advice):
    """If it fails, a user looks for files that are there."""
    with pytest.raises((MissingFileError, InvalidInputError), match=advice):
        listed(root, content)


def test_links_of_a_list(root, tmp_path, write_image):
    """A path of a list is no way out of the data set either."""
    secret = write_image(tmp_path / 'private/x.jpg', (1, 2))
    (root / 'x.jpg').symlink_to(secret)
    arguments = dict(partly_labelled=True)
    with pytest.raises(InvalidInputError, match='link .*x.jpg.*follow_links'):
        listed(root, b'/x.jpg', **arguments)
    assert len(listed(root, b'/x.jpg', follow_links=True, **arguments)) == 1


@pytest.mark.parametrize(
    ('old', 'new', 'hint'),
    [
        ('labels/train/a.png', 'labels/train/a_mask.png', "set seg_map_suffix='_mask.png'"),
        ('labels/train/a.png', 'labels/train/A.png', 'give both files of a pair equal names'),
        ('labels/train/a.png', 'labels/train/a.jpg', 'a JPEG, whose compression alters ids'),
        ('labels/train/a.png', 'labels/train/a.tif', "set seg_map_suffix='.tif'"),
        ('images/train/a.jpg', 'images/train/a.bmp', "set img_suffix='.bmp'"),
    ],
)
def test_hint_at_the_ending(root, old, new, hint):
    """If it fails, nobody learns that masks with another ending are there."""
    (root / old).rename(root / new)
    with pytest.raises(MissingFileError, match='1 of 3 are missing') as error:
        listed(root, FORMS['ids'].encode())
    text = str(error.value)
    assert hint in text and f'the folder has {new.split("/")[2]!r}' in text


def test_no_hint_at_masks_of_others(root, write_image, write_label):
    """The mask of another picture, or of a longer name, is not this one's."""
    for name in ('a_1', 'ab'):
        write_image(root / f'images/train/{name}.jpg', (1, 2))
        write_label(root / f'labels/train/{name}.png', [[0, 0]])
    (root / 'labels/train/a.png').unlink()
    with pytest.raises(MissingFileError) as error:
        SegDataset(str(root), metainfo=META)
    assert 'seg_map_suffix' not in str(error.value)


def test_hint_where_no_ending_fits(root):
    """A folder of pictures of another kind is not empty."""
    with pytest.raises(MissingFileError, match="it has 'a.jpg': set img_suffix"):
        SegDataset(str(root), metainfo=META, img_suffix='.tif')


def told(monkeypatch, *arguments, **more):
    """The lines that a data set logs, and their levels."""
    lines = []
    monkeypatch.setattr(
        image_lists, 'print_log', lambda line, logger, level: lines.append((level, line))
    )
    image_lists.tell_once.cache_clear()
    for _ in range(2):
        SegDataset(*arguments, metainfo=META, **more)
    return lines


def test_counts(root, monkeypatch, write_image, write_label):
    """One line for a split; a warning that names what is left over."""
    line = 'SegDataset train: 3 pictures, 3 masks: 3 pairs'
    assert told(monkeypatch, str(root)) == [(logging.INFO, line)]
    write_label(root / 'labels/train/alone.png', [[0, 0]])
    write_image(root / 'images/train/x.bmp')
    (root / 'images/train/y.HEIC').write_bytes(b'of a phone')
    for name in 'pqrst':
        write_image(root / f'images/train/{name}.jpg')
    expected = (
        'SegDataset train: 8 pictures, 4 masks: 3 pairs; without mask: p, q, r and 2 more; '
        'masks without picture: alone; not in img_suffix: x.bmp, y.HEIC'
    )
    found = told(monkeypatch, str(root), partly_labelled=True)
    assert found == [(logging.WARNING, expected)]
    with pytest.raises(MissingFileError, match='p.png.*5 of 8 are missing.; 8 pictures, 4 masks'):
        SegDataset(str(root), metainfo=META)


def test_files_that_no_list_names_are_not_left_over(root, monkeypatch):
    """Folders of VOC hold other splits too."""
    (root / 'list.txt').write_text('a\n')
    more = dict(ann_file='list.txt', data_prefix=TRAIN)
    line = 'SegDataset train: 1 pictures, 1 masks: 1 pairs'
    assert told(monkeypatch, str(root), **more) == [(logging.INFO, line)]


def test_names_that_look_like_other_things(tmp_path):
    """A name may begin with '#', and lines keep bytes that are not UTF-8."""
    (tmp_path / 'l').write_bytes(b'#1\n# 2\nbild_\xff\n')
    assert list_files.read_id_list(str(tmp_path / 'l'), '') == ['#1', 'bild_\udcff']


@pytest.mark.parametrize('line', ['labels/train/a.png images/train/a.jpg', 'a.png,a.jpg'])
def test_a_mask_before_its_image_is_refused(root, line):
    """If it fails, the message says that an image is missing which is there."""
    with pytest.raises(InvalidInputError, match='line 1 of .*the image first, then its mask'):
        listed(root, line.encode())


def test_an_image_may_be_called_as_a_column(root, write_image, write_label):
    write_image(root / 'images/train/image.jpg', (1, 2))
    write_label(root / 'labels/train/image.png', [[0, 1]])
    assert listed(root, b'image\na').image_ids == ['image', 'a']


@pytest.mark.parametrize('split, close', [('trian_aug', 'train_aug.txt'), ('VALL', 'val.txt')])
def test_a_wrong_split_gets_the_name_of_a_list_that_is_there(make_voc, split, close):
    """If it fails, one wrong letter is answered with advice to download the data again."""
    root = make_voc(train_aug={'x': [[1, 2]]}, val={'z': [[1, 1]]})
    with pytest.raises(MissingFileError, match=f'did you mean {close!r} .*If not, get '):
        VOCDataset(str(root), split)


def test_a_wrong_split_gets_the_name_of_a_folder_that_is_there(root):
    with pytest.raises(MissingFileError, match="did you mean 'train'"):
        SegDataset(str(root), 'trian', metainfo=META)


def test_masks_whose_names_begin_with_a_word(root, write_label):
    for name in ('a', 'b', 'my c'):
        (root / f'labels/train/{name}.png').rename(root / f'labels/train/gt_{name}.png')
    with pytest.raises(MissingFileError, match="'gt_a.png', whose name begins with 'gt_'"):
        SegDataset(str(root), metainfo=META)


@pytest.mark.parametrize(
    'line', ['a 1', 'b -1', 'a a', '["a", "b"]', '{"a": 1}', '0,a.jpg,a.png', 'a,b', 'a\tx']
)
def test_other_forms_are_named(root, line):
    """If it fails, VOC's Main lists, JSON or a table with an index end in advice to download."""
    with pytest.raises(InvalidInputError, match='line 1 of image list .* expected an image id'):
        listed(root, line.encode())


def test_a_name_may_look_like_a_column(root, write_image, write_label):
    """If it fails, an image called 'a 1' cannot be listed."""
    write_image(root / 'images/train/a 1.jpg', (1, 2))
    write_label(root / 'labels/train/a 1.png', [[0, 1]])
    assert listed(root, b'a 1\nb').image_ids == ['a 1', 'b']


def test_a_list_of_masks(root):
    """If it fails, the message does not say that the picture is there."""
    with pytest.raises(MissingFileError, match="the folder has 'a.jpg': let the list name it"):
        listed(root, b'a.png\nb.png')


@pytest.mark.parametrize('columns', [b'filename,mask', b'ImageId,label', b'id;img_path;mask'])
def test_names_of_columns(root, columns):
    assert listed(root, columns + b'\na.jpg,a.png').image_ids == ['a']
