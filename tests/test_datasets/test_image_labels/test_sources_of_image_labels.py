"""Image-level labels from masks, JSON and XML files: each names the file that it cannot use."""

import json
from pathlib import Path

import pytest

from incseg.datasets import (
    COCOVOCDataset,
    JSONImageLabels,
    MaskImageLabels,
    PartImageLabels,
    ShapesDataset,
    VOCXMLImageLabels,
)
from incseg.datasets.preparation.coco_masks import paint_coco_masks
from incseg.errors import InvalidInputError, MissingFileError


@pytest.fixture
def source(voc, tmp_path):
    """``source(content)``: content as JSON, or as it is if it is text."""

    def make(content):
        path = tmp_path / 'labels.json'
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return JSONImageLabels(voc, str(path))

    return make


def test_names_by_id(source, shown):
    """Ids are keys: the order in the file does not matter."""
    labels = source({'b': ['sofa', 'aeroplane'], 'a': [], 'dir/c': ['person']})
    assert shown(labels.labels(['dir/c', 'a', 'b'])) == [[0, 15], [0], [0, 1, 18]]


def test_missing_images_are_counted(source):
    """One clear line, with the first image and how many there are like it."""
    with pytest.raises(MissingFileError, match=r"labels\.json' lack image 'y' \(2 of 3 are missin"):
        source({'x': []}).labels(['x', 'y', 'z'])


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"a": [', r"labels\.json' cannot be read \(.*expected {image id: \[class names\]}"),
        (['a'], r"labels\.json' hold a list, expected {image id"),
        ({'a': 'person'}, r"labels\.json' have 'person' for image 'a', expected"),
        ({'a': [15]}, r"labels\.json' have \[15\] for image 'a', expected"),
    ],
)
def test_bad_files(source, content, message):
    """A user's file of another form is refused with its name, the value and the form."""
    with pytest.raises(InvalidInputError, match=message):
        source(content)


def test_unknown_class_and_missing_file(source, voc):
    """Which image names it, in which file."""
    with pytest.raises(InvalidInputError, match=r"image 'a' in .*labels\.json' is 'P"):
        source({'a': ['Person']}).labels(['a'])
    with pytest.raises(MissingFileError, match=r"image labels 'none\.json' do not exist"):
        JSONImageLabels(voc, 'none.json')
    with pytest.raises(InvalidInputError, match='path of JSONImageLabels is 3, expected'):
        JSONImageLabels(voc, 3)


XML = """<annotation><filename>b.jpg</filename>
<object><name>person</name><part><name>head</name></part></object>
<object><name>sofa</name><difficult>1</difficult></object>
<object><name>person</name></object></annotation>"""


@pytest.fixture
def folder(voc):
    folder = Path(voc.data_root, 'Annotations')
    folder.mkdir()
    (folder / 'b.xml').write_text(XML)
    (folder / 'c.xml').write_text('<annotation></annotation>')
    return folder


def test_names_of_objects(voc, folder, shown):
    """A person's head is not a class of its own; two persons are one; no object is no class."""
    assert shown(VOCXMLImageLabels(voc).labels(['c', 'b'])) == [[0], [0, 15, 18]]


def test_errors_name_the_file(voc, folder):
    """What is missing, damaged or unknown is said with its path."""
    source = VOCXMLImageLabels(voc)
    with pytest.raises(MissingFileError, match=r"image 'a' has no XML annotation '.*/a\.xml'"):
        source.labels(['a'])
    (folder / 'a.xml').write_text('<annotation><object>')
    with pytest.raises(InvalidInputError, match=r"a\.xml' cannot be read \(.*PASCAL VOC's format"):
        source.labels(['a'])
    (folder / 'a.xml').write_text('<annotation><object><name>dragon</name></object></annotation>')
    with pytest.raises(InvalidInputError, match=r"a\.xml' is 'dragon', expected 'a"):
        source.labels(['a'])


def test_missing_folder(voc):
    """Said when the source is made, not at the first image."""
    with pytest.raises(MissingFileError, match=r"folder of XML annotations '.*/Boxes' does not"):
        VOCXMLImageLabels(voc, 'Boxes')


def test_void_is_no_class(voc, shown):
    """Worked example: 255 is ignored, an image of background and void shows nothing."""
    assert shown(MaskImageLabels(voc).labels(['c', 'a', 'b'])) == [[0], [0, 1], [0, 15]]


def test_equals_the_class_index():
    """Images selected by these labels are those that the masks would select."""
    data = ShapesDataset(length=12, size=32)
    rows = MaskImageLabels(data).labels(data.image_ids)
    assert (rows[:, 1:] == data.presence()[:, 1:]).all() and rows[:, 1:].any()


def test_foreign_image_is_named(voc):
    """An id of another split has no mask here."""
    with pytest.raises(MissingFileError, match="image 'z' is not one of the 3 images of VOCData"):
        MaskImageLabels(voc).labels(['a', 'z'])


SOFA = '<annotation><object><name>sofa</name></object></annotation>'
SPLITS = ['coco_train', 'voc_train_aug']
FROM_XML = dict(voc_train_aug=dict(type='VOCXMLImageLabels'))


@pytest.fixture
def joined(make_coco, voc):
    """COCO's one image of a truck and VOC's a, b and c, of which b has a sofa in its XML file."""
    coco = make_coco(train={'7': [('truck', 0, 0, 9, 9)]})
    paint_coco_masks(coco, 'train')
    folder = Path(voc.data_root, 'Annotations')
    folder.mkdir()
    for name in 'ac':
        (folder / f'{name}.xml').write_text('<annotation></annotation>')
    (folder / 'b.xml').write_text(SOFA)
    return COCOVOCDataset(str(coco), SPLITS, voc_root=voc.data_root)


def test_each_part_has_its_source(joined, shown):
    """COCO's from its masks, VOC's from its XML files, all in the joined ids: sofa is 78."""
    labels = PartImageLabels(joined, FROM_XML)
    assert shown(labels.labels(['b', '7', 'a'])) == [[0, 78], [0, 1], [0]]
    masks = PartImageLabels(joined, {})
    assert shown(masks.labels(joined.image_ids)) == [[0, 1], [0, 61], [0, 75], [0]]


def test_no_masks_needed(joined, shown):
    """The XML files stand in for VOC's masks, so they may be missing."""
    Path(joined.voc_root, 'SegmentationClassAug/b.png').unlink()
    dataset = COCOVOCDataset(
        joined.data_root, SPLITS, voc_root=joined.voc_root, partly_labelled=True
    )
    assert not PartImageLabels.reads_masks
    assert shown(PartImageLabels(dataset, FROM_XML).labels(['b'])) == [[0, 78]]


def test_refusals(joined, voc):
    """Another data set, another split, another image."""
    with pytest.raises(InvalidInputError, match='VOCDataset is none'):
        PartImageLabels(voc, {})
    with pytest.raises(
        InvalidInputError, match="is 'voc', expected 'coco_train' or 'voc_train_aug'"
    ):
        PartImageLabels(joined, dict(voc=dict(type='VOCXMLImageLabels')))
    with pytest.raises(MissingFileError, match="image 'z' is not one of the 4 images"):
        PartImageLabels(joined, {}).labels(['z'])


def test_a_part_without_masks_needs_a_source(joined):
    """If it fails, its images are taken for ones that show nothing, and no step has them."""
    Path(joined.voc_root, 'SegmentationClassAug/b.png').unlink()
    dataset = COCOVOCDataset(
        joined.data_root, SPLITS, voc_root=joined.voc_root, partly_labelled=True
    )
    with pytest.raises(MissingFileError, match="b.png' does not exist, and PartImageLabels read"):
        PartImageLabels(dataset, {})
