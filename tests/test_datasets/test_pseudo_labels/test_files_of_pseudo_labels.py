"""Pseudo-labels on disk: what is whole, what is foreign, and where the right folder is."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from incseg.datasets import PseudoLabelFiles, ScoreFile, colour_map, export_coco
from incseg.datasets.pseudo_labels.coco_export import encode
from incseg.datasets.pseudo_labels.pseudo_label_files import label_folders, no_labels
from incseg.errors import InvalidInputError, MissingFileError

LABEL = np.arange(256, dtype=np.uint8).reshape(8, 32)


@pytest.fixture
def files(tmp_path):
    return PseudoLabelFiles.of_step(tmp_path, '15-1', 3)


def scores(size=(8, 32)):
    return ScoreFile.quantise([5], np.full((1, *size), 0.4, np.float32))


def test_places(files, tmp_path):
    """Other programs find the files by these names."""
    assert files.folder == tmp_path / '15-1' / '3'
    assert files.label_path('town/a b') == files.folder / 'labels/town/a b.png'
    assert files.score_path('town/a b') == files.folder / 'scores/town/a b.npz'


def test_every_id_survives_in_a_palette_png(files):
    """Viewers show VOC's colours, readers get the ids: 255 stays 255."""
    files.write('town/a', LABEL, scores())
    np.testing.assert_array_equal(files.read_label('town/a'), LABEL)
    with Image.open(files.label_path('town/a')) as image:
        assert image.mode == 'P'
        assert image.getpalette() == np.ravel(colour_map(256)).tolist()
    assert files.read_scores('town/a').ids.tolist() == [5]


def test_one_id_only(files):
    """An empty image: all 0, in the same 8-bit form."""
    files.write('a', np.zeros((4, 5), np.uint8), ScoreFile.quantise([], np.zeros((0, 4, 5))))
    assert files.read_label('a').tolist() == [[0] * 5] * 4
    assert files.is_valid('a', True)


def test_a_complete_folder_is_verified(files):
    """If it fails, a step is trained on label maps that were exchanged or damaged.

    Other valid files stand in their places; a folder that is not complete has no digests.
    """
    for i, name in enumerate('abc'):
        files.write(name, LABEL + np.uint8(i), scores())
    files.write_digests('abc')
    again = PseudoLabelFiles(files.folder)
    assert all(again.is_valid(name, True) for name in 'abc')
    a, b = files.label_path('a'), files.label_path('b')
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second), b.write_bytes(first)
    for name in 'ab':
        assert not again.is_valid(name, True)
        with pytest.raises(
            InvalidInputError, match=f"{name}.png' is damaged or was edited: .*json"
        ):
            again.read_label(name)
    ScoreFile.quantise([5], np.full((1, 8, 32), 0.2, np.float32)).write(files.score_path('c'))
    with pytest.raises(InvalidInputError, match="c.npz' is damaged or was edited"):
        again.read_scores('c')
    again.open_again()
    assert again.is_valid('a', True)
    (files.folder / 'digests.json').write_text('{"files": {}, "format": 1}')
    with pytest.raises(InvalidInputError, match='digests.json is damaged or was edited'):
        PseudoLabelFiles(files.folder).read_label('a')


def test_valid_means_whole(files):
    """Resuming keeps what is whole and makes the rest again."""
    assert not files.is_valid('a', False)
    files.write('a', LABEL)
    assert files.is_valid('a', False) and not files.is_valid('a', True)
    files.write('a', LABEL, scores())
    assert files.is_valid('a', True)
    files.write('b', LABEL, scores((9, 9)))
    assert not files.is_valid('b', True)
    for path in (files.label_path('a'), files.score_path('a')):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        assert not files.is_valid('a', True)
        path.write_bytes(content)


def test_valid_means_of_these_ids(files):
    """A label map of another program, or of other classes, is made again."""
    files.write('a', np.full((8, 32), 77, np.uint8), scores())
    assert files.is_valid('a', True) and not files.is_valid('a', True, [5])
    assert files.is_valid('a', True, [5, 77]) and not files.is_valid('a', True, [77])
    label = np.zeros((8, 32), np.uint8)
    label[0], label[1] = 5, 255
    files.write('a', label, scores())
    assert files.is_valid('a', True, [5]) and files.is_valid('a', True, [5, 6])
    with pytest.raises(InvalidInputError, match=r"a\.png' is \[5\], expected 0, 255 or"):
        files.read_label('a', [4, 6])
    with pytest.raises(InvalidInputError, match=r"a\.npz' is \[5\], expected 0, 255 or"):
        files.read_scores('a', [4, 6])


def test_no_scores(files):
    """The error says what needs them and how to get them."""
    files.write('a', LABEL)
    with pytest.raises(MissingFileError, match=r"a\.npz' does not exist; another threshold.*infe"):
        files.read_scores('a')


def test_meta(files):
    """Strict: a file of another version is not guessed at."""
    with pytest.raises(MissingFileError, match=r"labels in '.*3': there is no such folder"):
        files.read_meta()
    files.write_meta(dict(ids=[16], bg=dict(mode='const', value=0.26)))
    assert files.read_meta() == dict(version=1, ids=[16], bg=dict(mode='const', value=0.26))
    files.meta_path.write_text(json.dumps(dict(version=2)))
    with pytest.raises(InvalidInputError, match=r"meta\.json' is 2, expected 1"):
        files.read_meta()
    for ids in (None, 16, [0], ['person'], [255]):
        files.write_meta(dict(ids=ids))
        with pytest.raises(InvalidInputError, match=r"meta\.json' is .*, expected a list"):
            files.read_meta()
    files.meta_path.write_text('{')
    with pytest.raises(InvalidInputError, match=r'meta\.json is not the meta.json'):
        files.read_meta()


@pytest.fixture
def root(tmp_path):
    """Labels of two steps of 4-2 and one of 2-2."""
    for leaf in ('4-2/1', '4-2/0', '2-2/1'):
        (tmp_path / 'pseudo' / leaf / 'labels').mkdir(parents=True)
        (tmp_path / 'pseudo' / leaf / 'meta.json').write_text('{}')
    return tmp_path / 'pseudo'


def test_what_lies_below(root):
    """Of the root and of a protocol; a folder without ``meta.json`` is not listed."""
    (root / '4-2/3/labels').mkdir(parents=True)
    assert label_folders(root) == ['2-2/1', '4-2/0', '4-2/1']
    assert label_folders(root / '4-2') == ['0', '1']
    assert label_folders(root / '4-2/1') == []


def test_message(root, tmp_path):
    """If it fails, who names the root has to guess what is wanted."""
    expected = 'expected is <root>/<protocol>/<step>'
    assert no_labels(root) == (
        f"no pseudo-labels in '{root}': it has no meta.json; {expected}, here one of "
        f"'{root}/' + 2-2/1, 4-2/0, 4-2/1"
    )
    assert no_labels(root / '4-2/1/labels').endswith(f"{expected}, here '{root}/4-2/1'")
    assert no_labels(tmp_path / 'x').endswith(
        f'there is no such folder; {expected}, which holds meta.json'
    )
    (tmp_path / 'empty').mkdir()
    assert no_labels(tmp_path / 'empty').endswith(f'{expected}, and below it lie no labels')


LABELS = {'dir/a': np.uint8([[0, 5, 5], [2, 2, 255]]), 'b': np.uint8([[0, 0]])}


def test_round_trip(tmp_path, capsys):
    """pycocotools itself reads every class's mask back, exactly; background and uncertain pixels
    are in none."""
    files = PseudoLabelFiles(tmp_path)
    for image_id, label in LABELS.items():
        files.write(image_id, label)
    names = ['background', *(f'class {i}' for i in range(1, 6))]
    export_coco(files, list(LABELS), names, tmp_path / 'coco.json')
    coco = COCO(str(tmp_path / 'coco.json'))
    assert [image['file_name'] for image in coco.loadImgs([1, 2])] == ['dir/a', 'b']
    found = {
        item['category_id']: coco.annToMask(item).tolist()
        for item in coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    }
    assert found == {5: [[0, 1, 1], [0, 0, 0]], 2: [[0, 0, 0], [1, 1, 0]]}
    assert coco.getAnnIds(imgIds=[2]) == []
    assert coco.loadCats(5) == [dict(id=5, name='class 5')] and not coco.getCatIds(['background'])


def test_area_box_and_text():
    """``counts`` are text, as JSON needs; the box is x, y, width, height."""
    mask = np.zeros((4, 6), np.bool_)
    mask[1:3, 2:5] = True
    encoded = encode(mask)
    assert encoded['area'] == 6 and encoded['bbox'] == [2, 1, 3, 2]
    assert isinstance(json.loads(json.dumps(encoded))['segmentation']['counts'], str)
    assert (coco_mask.decode(encoded['segmentation']) == mask).all()
