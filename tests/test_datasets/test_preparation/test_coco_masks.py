"""Label maps from COCO's annotations: which object is on top, and files that are not COCO's."""

import json

import numpy as np
import pytest

from incseg.datasets import COCODataset
from incseg.datasets.label_maps.label_file import read_label_file
from incseg.datasets.preparation.coco_masks import category_map, paint_coco_masks, read_instances
from incseg.errors import InvalidInputError, MissingFileError


def box(category, left, top, right, bottom, **more):
    corners = [left, top, right, top, right, bottom, left, bottom]
    return dict(id=1, image_id=1, category_id=category, segmentation=[corners], **more)


def painted(*annotations, size=(4, 6)):
    return category_map(annotations, *size, 'i.json').tolist()


def test_rectangle():
    """Corners are between pixels: columns 1 to 3, rows 1 and 2; the rest is background."""
    assert painted(box(90, 1, 1, 4, 3)) == [
        [0, 0, 0, 0, 0, 0],
        [0, 90, 90, 90, 0, 0],
        [0, 90, 90, 90, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_the_smaller_object_is_on_top():
    """In whichever order the file has them; else a table hides the cups on it."""
    table, cup = box(67, 0, 0, 6, 4), box(47, 2, 1, 4, 3)
    expected = [[67] * 6, [67, 67, 47, 47, 67, 67], [67, 67, 47, 47, 67, 67], [67] * 6]
    assert painted(table, cup) == painted(cup, table) == expected


def test_a_crowd_is_below_single_objects():
    """It is of its class, but a single object in it, even a larger one, is its own."""
    crowd = dict(
        id=2, image_id=1, category_id=1, iscrowd=1, segmentation=dict(size=[2, 3], counts=[1, 2, 3])
    )
    assert painted(crowd, size=(2, 3)) == [[0, 1, 0], [1, 0, 0]], 'column by column'
    assert painted(crowd, box(2, 0, 0, 3, 2, iscrowd=0), size=(2, 3)) == [[2] * 3] * 2
    assert painted(box(2, 1, 0, 3, 1), crowd, size=(2, 3)) == [[0, 2, 2], [1, 0, 0]]


def test_compressed_code_and_several_polygons():
    """The other two forms that COCO's tools write."""
    from pycocotools import mask as coco_mask

    shape = np.zeros((4, 6), np.uint8)
    shape[1:3, 2:5] = 1
    code = coco_mask.encode(np.asfortranarray(shape))
    code['counts'] = code['counts'].decode()
    assert (np.array(painted(dict(id=1, category_id=3, segmentation=code))) == 3 * shape).all()
    two = box(3, 0, 0, 1, 1)
    two['segmentation'] += box(3, 4, 2, 6, 4)['segmentation']
    assert painted(two) == [[3, 0, 0, 0, 0, 0], [0] * 6, [0, 0, 0, 0, 3, 3], [0, 0, 0, 0, 3, 3]]


def test_the_folder(make_coco):
    """Every image of the JSON file has a mask, also one without objects; masks there are kept."""
    root = make_coco(
        train={'a': [('dog', 10, 5, 30, 20), ('person', 0, 0, 5, 5)], 'b': []},
        val={'c': [('cat', 0, 0, 40, 30)]},
    )
    seen = []
    assert paint_coco_masks(root, 'train', lambda *state: seen.append(state)) == 2
    assert seen == [(1, 2), (2, 2)]
    assert sorted(path.name for path in (root / 'masks').rglob('*.png')) == ['a.png', 'b.png']
    mask = read_label_file(root / 'masks/train2017/a.png')
    ids, counts = np.unique(mask, return_counts=True)
    assert dict(zip(ids.tolist(), counts.tolist())) == {0: 1200 - 300 - 25, 1: 25, 18: 300}
    assert not read_label_file(root / 'masks/train2017/b.png').any()

    path = root / 'annotations/instances_train2017.json'
    content = json.loads(path.read_text())
    content['annotations'][1]['category_id'] = 2
    path.write_text(json.dumps(content))
    (root / 'masks/train2017/b.png').unlink()
    paint_coco_masks(root, 'train')
    assert read_label_file(root / 'masks/train2017/a.png')[0, 0] == 1
    assert (root / 'masks/train2017/b.png').is_file()


@pytest.mark.parametrize('name', ['../../x.jpg', '/elsewhere/x.jpg', 'x\0.jpg'])
def test_names_that_lead_out(make_coco, name):
    """If it fails, a downloaded JSON file decides where masks are written; none is written."""
    root = make_coco(val={'a': [('cat', 0, 0, 4, 4)], 'b': []})
    path = root / 'annotations/instances_val2017.json'
    content = json.loads(path.read_text())
    content['images'][1]['file_name'] = name
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInputError, match='an image id of .*instances_val2017.json'):
        paint_coco_masks(root, 'val')
    assert not (root / 'masks').exists()


def renamed(root, **names):
    """Give images of the annotations other names, and move the pictures there."""
    path = root / 'annotations/instances_val2017.json'
    content = json.loads(path.read_text())
    for image in content['images']:
        old, image['file_name'] = image['file_name'], names[image['file_name'][0]]
        place = root / 'val2017' / image['file_name']
        place.parent.mkdir(parents=True, exist_ok=True)
        (root / 'val2017' / old).rename(place)
    path.write_text(json.dumps(content))
    return path, content


def test_one_name_in_two_folders(make_coco):
    """If it fails, two pictures share one mask; the data set finds each picture's own."""
    root = make_coco(val={'a': [('cat', 0, 0, 40, 30)], 'b': [('dog', 0, 0, 40, 30)]})
    renamed(root, a='one/x.jpg', b='two/x.jpg')
    paint_coco_masks(root, 'val')
    dataset = COCODataset(str(root), 'val')
    assert dataset.image_ids == ['one/x', 'two/x']
    shown = [int(read_label_file(dataset.get_data_info(i)['seg_map_path'])[0, 0]) for i in (0, 1)]
    assert shown == [17, 18]


def test_names_with_folders_that_are_not_there(make_coco):
    """Some exports name the pictures' folder too; masks then lie as the pictures do."""
    root = make_coco(val={'a': [('cat', 0, 0, 4, 4)]})
    path = root / 'annotations/instances_val2017.json'
    content = json.loads(path.read_text())
    content['images'][0]['file_name'] = 'images/val2017/a.jpg'
    path.write_text(json.dumps(content))
    paint_coco_masks(root, 'val')
    assert (root / 'masks/val2017/a.png').is_file() and len(COCODataset(str(root), 'val')) == 1


@pytest.mark.parametrize(
    ('field', 'value'), [('file_name', ''), ('file_name', '/'), ('height', True), ('id', True)]
)
def test_values_that_are_none(make_coco, field, value):
    """If it fails, a wrong value of an image is a traceback, or taken for the number 1."""
    root = make_coco(val={'a': [('cat', 0, 0, 4, 4)], 'b': []})
    path = root / 'annotations/instances_val2017.json'
    content = json.loads(path.read_text())
    content['images'][1][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInputError, match=f"an entry of 'images' .*expected .*'{field}'"):
        paint_coco_masks(root, 'val')


@pytest.mark.parametrize('names', [('x.jpg', 'x.png'), ('x.jpg', 'x.jpg')])
def test_two_pictures_of_one_mask(make_coco, names):
    """If it fails, the second picture gets the first one's mask."""
    root = make_coco(val={'a': [('cat', 0, 0, 4, 4)], 'b': []})
    path = root / 'annotations/instances_val2017.json'
    content = json.loads(path.read_text())
    for image, name in zip(content['images'], names):
        image['file_name'] = name
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInputError, match="images 'x.jpg' and 'x.*' would share the mask 'x"):
        paint_coco_masks(root, 'val')
    assert not (root / 'masks').exists()


def test_no_annotations(tmp_path):
    """Says which file and where it comes from."""
    with pytest.raises(MissingFileError, match=r'instances_val2017\.json.*annotations_trainval'):
        paint_coco_masks(tmp_path, 'val')


def test_reads_all(make_coco):
    """Nothing is lost on the way."""
    root = make_coco(val={'a': [('cat', 0, 0, 4, 4)], 'b': []})
    content = read_instances(root / 'annotations/instances_val2017.json', '')
    assert [image['file_name'] for image in content['images']] == ['a.jpg', 'b.jpg']
    assert [a['category_id'] for a in content['annotations']] == [17]
    assert len(content['categories']) == 80


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c.pop('annotations'), "no list 'annotations'"),
        (
            lambda c: c['images'][0].pop('height'),
            "entry of 'images' .*expected a dict with 'height', int",
        ),
        (
            lambda c: c['annotations'][0].update(category_id='cat'),
            "expected a dict with 'category_id'",
        ),
        (lambda c: c['annotations'][0].update(category_id=12), 'is .12, None'),
        (
            lambda c: c['annotations'][0].update(image_id=99),
            r'annotation 1 is of image 99, which is not among its 1 images \(1 such',
        ),
        (lambda c: c['images'].append(dict(c['images'][0])), "id of image 'a.jpg' .* is 1, exp"),
        (lambda c: c['images'][0].update(height=0), r'\(height, width\) of .* is \(0, 40\)'),
        (lambda c: c['images'][0].update(width=10**9), 'and no more than'),
        (lambda c: c['categories'][15].update(name='dog'), r"is \(17, 'dog'\)"),
    ],
)
def test_not_cocos(make_coco, change, message):
    """A file of another kind, or of other categories, would paint other classes."""
    path = make_coco(val={'a': [('cat', 0, 0, 4, 4)]}) / 'annotations/instances_val2017.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_instances(path, '')
    assert 'instances_val2017.json' in str(caught.value) and '\n' not in str(caught.value)


def test_missing_or_cut_short(tmp_path):
    """A download that stopped half-way."""
    with pytest.raises(MissingFileError, match=r"i\.json' does not exist; get it"):
        read_instances(tmp_path / 'i.json', 'get it')
    (tmp_path / 'i.json').write_text('{"images": [')
    with pytest.raises(InvalidInputError, match='cannot be read as JSON'):
        read_instances(tmp_path / 'i.json', '')
    (tmp_path / 'i.json').write_text('[]')
    with pytest.raises(InvalidInputError, match="no list 'images'"):
        read_instances(tmp_path / 'i.json', '')
