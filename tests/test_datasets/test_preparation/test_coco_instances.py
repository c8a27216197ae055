import json

import pytest

from incseg.datasets.preparation.coco_masks import read_instances
from incseg.errors import InvalidInputError, MissingFileError


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
        (lambda c: c['images'][0].pop('height'), "in 'images'; expected 'height', int"),
        (lambda c: c['annotations'][0].update(category_id='cat'), "expected 'category_id', int"),
        (lambda c: c['annotations'][0].update(category_id=12), 'annotates category 12'),
        (lambda c: c['categories'][15].update(name='dog'), r"category 17 \('dog'\)"),
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
