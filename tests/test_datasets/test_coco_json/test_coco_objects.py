"""The pixels of COCO's objects: polygons and codes that cannot be drawn are refused."""

import numpy as np
import pytest

from incseg.datasets.coco_json.instances import category_map
from incseg.datasets.coco_json.objects import object_pixels
from incseg.errors import InvalidInputError


def painted(*annotations, size=(4, 6)):
    return category_map(annotations, *size, 'i.json').tolist()


@pytest.mark.parametrize(
    'segmentation',
    [None, [], 'abc', [['x', 'y', 'z']], dict(size=[4, 6]), dict(size=[4, 6], counts=None)],
)
def test_no_segmentation(segmentation):
    """The annotation is named, not pycocotools' own error alone."""
    with pytest.raises(InvalidInputError, match=r"'i\.json': annotation 5 has no segmentation"):
        painted(dict(id=5, category_id=1, segmentation=segmentation))


BOX = [1, 1, 4, 1, 4, 3, 1, 3]


@pytest.mark.parametrize(
    ('polygon', 'message'),
    [
        ([float('nan'), *BOX[1:]], 'a polygon has nan'),
        ([*BOX[:-1], float('inf')], 'a polygon has inf'),
        ([*BOX[:-1], '3'], "a polygon has '3'"),
        ([*BOX[:-1], True], 'a polygon has True'),
        (BOX[:-1], 'a polygon has 7 numbers, not pairs'),
        ([], 'a polygon has 0 numbers'),
        (BOX[0], 'a polygon is 1'),
        ([*BOX[:-1], 1e12], r'point .1.0, 1000000000000.0. is far from its image'),
        ([*BOX[:-1], -1e12], 'is far from its image'),
        ([value - 50 for value in BOX], 'a polygon lies outside of its image'),
        ([value + 50 for value in BOX], 'a polygon lies outside of its image'),
    ],
)
def test_polygons_that_cannot_be_drawn(polygon, message):
    """If it fails, one number takes all memory, or an object is left out in silence."""
    with pytest.raises(InvalidInputError, match=f'annotation 5 has no segm.*{message}') as error:
        painted(dict(id=5, category_id=1, segmentation=[BOX, polygon]))
    assert '\n' not in str(error.value) and len(str(error.value)) < 600


def test_polygon_of_too_long_an_outline():
    """If it fails, pycocotools keeps every one of its points: gigabytes for one object."""
    zigzag = dict(id=5, category_id=1, segmentation=[[0, 0, 30000, 30000] * 600])
    with pytest.raises(InvalidInputError, match='a polygon has an outline of 36000000 pixels'):
        object_pixels(zigzag, 30000, 30000, 'x')


def test_polygons_at_the_border():
    """COCO's own polygons reach a little beyond their images; they are cut off there."""
    over = [-0.5, -1, 6.5, -1, 6.5, 4.7, -0.5, 4.7]
    assert painted(dict(id=5, category_id=3, segmentation=[over])) == [[3] * 6] * 4


def test_polygon_without_an_area():
    """Two points cover nothing, and pycocotools takes four numbers for a box: told."""
    with pytest.warns(UserWarning, match='annotation 5 has a polygon of fewer than three points'):
        shown = painted(dict(id=5, category_id=3, segmentation=[[1, 1, 4, 3]]))
    assert shown == [[0] * 6] * 4


@pytest.mark.parametrize(
    ('counts', 'message'),
    [
        ([3, 5], 'its counts are 8 pixels, its image has 24'),
        ([30, -6], r'its counts are \[30, -6\]'),
        ([12, 12.0], 'its counts are'),
        ([20, 1 << 60], 'its counts are'),
        ('09', 'its counts are 9 pixels'),
        ('0\n', "its code has the character '.n'"),
        ('0i', 'its code is cut short'),
        ('0oooooooooooooooo0', 'its counts are'),
    ],
)
def test_codes_of_another_image(counts, message):
    """If it fails, a damaged code is written beyond the picture's memory."""
    with pytest.raises(InvalidInputError, match=f'annotation 5 has no segmentation.*{message}'):
        painted(dict(id=5, category_id=1, segmentation=dict(size=[4, 6], counts=counts)))


def test_codes_are_read_as_pycocotools_reads_them():
    """Both forms, of shapes of many runs."""
    from pycocotools import mask as coco_mask

    rng = np.random.default_rng(0)
    for shape in (rng.random((60, 90)) < share for share in (0, 0.02, 0.5, 0.98, 1)):
        code = coco_mask.encode(np.asfortranarray(shape.astype(np.uint8)))
        for counts in (code['counts'], code['counts'].decode()):
            one = dict(id=1, segmentation=dict(size=[60, 90], counts=counts))
            np.testing.assert_array_equal(object_pixels(one, 60, 90, 'x'), shape)


def test_code_of_another_size():
    """A run-length code that belongs to another image."""
    code = dict(size=[3, 3], counts='09')
    with pytest.raises(InvalidInputError, match='annotation 5 is of an image of 3 x 3'):
        painted(dict(id=5, category_id=1, segmentation=code))
