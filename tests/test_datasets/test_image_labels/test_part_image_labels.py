from pathlib import Path

import pytest

from incseg.datasets import COCOVOCDataset, PartImageLabels
from incseg.datasets.preparation.coco_masks import paint_coco_masks
from incseg.errors import InvalidInputError, MissingFileError

XML = '<annotation><object><name>sofa</name></object></annotation>'
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
    (folder / 'b.xml').write_text(XML)
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
    with pytest.raises(InvalidInputError, match="has 'voc'; allowed are coco_train, voc_train_aug"):
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
