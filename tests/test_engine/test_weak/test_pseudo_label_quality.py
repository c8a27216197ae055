"""Pseudo-labels are compared with the masks, per class and threshold."""

import json

import numpy as np
import pytest

from incseg.datasets import PseudoLabelFiles, ScoreFile, ShapesDataset
from incseg.engine.weak.evaluate_pseudo_labels import (
    check_classes,
    count_made,
    eval_pseudo_labels,
    new_ids,
    report_pseudo_labels,
)
from incseg.errors import InvalidInputError, MissingFileError


@pytest.fixture
def dataset():
    return ShapesDataset(length=6, size=32)


@pytest.fixture
def files(tmp_path, dataset):
    """Classes 5 and 2 of four images: the masks themselves as labels, and as scores of 0.5 in a
    class's pixels, 0.3 elsewhere.  An image without them has k = 0."""
    files = PseudoLabelFiles(tmp_path / '4-1' / '1')
    for index in range(4):
        info = dataset.get_data_info(index)
        mask = info['gt_seg_map']
        ids = [i for i in (2, 5) if (mask == i).any()]
        scores = (
            np.stack([np.where(mask == i, 0.5, 0.3) for i in ids]) if ids else np.zeros((0, 32, 32))
        )
        files.write(
            info['image_id'],
            np.where(np.isin(mask, ids), mask, 0).astype(np.uint8),
            ScoreFile.quantise(ids, scores),
        )
    files.write_meta(
        dict(ids=[5, 2], bg=dict(mode='const', value=0.4), refine=dict(type='NoRefinement'))
    )
    return files


def test_perfect_between_the_scores(dataset, files):
    """If it fails, the sweep is wrong: labels equal to the masks have 100 at a threshold between
    the scores 0.3 and 0.5, and only background above; other classes of the masks count as
    background."""
    found = eval_pseudo_labels(dataset, files.folder, [0.2, 0.4, 0.6])
    assert (found['set'], found['images'], found['of']) == ('ShapesDataset train', 4, 6)
    assert found['stage'] == 'NoRefinement'
    low, right, high = found['sweep']
    assert right['iou'] == [100.0, 100.0, 100.0] and right['all'] == 100
    assert high['classes'] == 0 and 0 < high['iou'][0] < 100
    assert 0 < low['all'] < 100
    assert found['labels'] == dict(
        iou=[100.0] * 3, classes=100.0, all=100.0, uncertain=0.0, new=100.0
    )
    names = dataset.metainfo['classes']
    assert found['classes'] == ['background', names[5], names[2]]
    assert found['new'] == found['classes'][1:], 'nothing says that only some are new'


def test_new_classes_of_scope_all(dataset, files):
    """If it fails, a step's own class hides in the mean over all."""
    first = dataset.image_ids[0]
    files.write(first, np.full((32, 32), 5, np.uint8))
    files.write_meta(
        {
            **files.read_meta(),
            'step': 1,
            'protocol': dict(name='4-1', steps=[[1, 2, 3, 4], [5], [6]]),
        }
    )
    found = eval_pseudo_labels(dataset, files.folder, [0.4])
    assert found['new'] == ['cross'] and found['labels']['new'] == found['labels']['iou'][1] < 100
    assert found['sweep'][0]['new'] == 100
    text = report_pseudo_labels(dataset, files.folder, [0.4])
    assert '\nnew in step 1: cross\n' in text and '| new classes |' in text
    assert f'new classes {found["labels"]["new"]:.1f}, classes' in text


def test_interrupted_labels(dataset, files):
    """If it fails, an incomplete folder is reported as complete, or images of another set count."""
    listed = {name: [] for name in (*dataset.image_ids, 'elsewhere')}
    (files.folder / 'image_labels.json').write_text(json.dumps(listed))
    last = report_pseudo_labels(dataset, files.folder, [0.4]).splitlines()[-1]
    assert last.startswith('incomplete: 4 of 6 images of the step have pseudo-labels; ')


def test_labels_of_another_data_set(dataset, files):
    """If it fails, labels of another data set are compared class by class as if they fitted."""
    files.write_meta({**files.read_meta(), 'dataset': 'voc', 'classes': ['bottle', 'bicycle']})
    with pytest.raises(
        InvalidInputError,
        match=(
            'are of the data set voc, where 5 is bottle; in the ShapesDataset of the config it '
            'is cross: take'
        ),
    ):
        eval_pseudo_labels(dataset, files.folder)


def test_uncertain_pixels_are_left_out_and_counted(dataset, files):
    """If it fails, uncertain pixels count as mistakes, or their share is not reported."""
    first = dataset.image_ids[0]
    label = files.read_label(first)
    label[:16] = 255
    files.write(first, label)
    found = eval_pseudo_labels(dataset, files.folder, [0.4])['labels']
    assert found['all'] == 100 and found['uncertain'] == pytest.approx(100 / 8)


def test_report(dataset, files):
    """If it fails, the report lacks set, size, stage, table or files, or needs scores."""
    text = report_pseudo_labels(dataset, files.folder, [0.1, 0.4, 0.6])
    assert text.startswith('ShapesDataset train: 4 of 6 images, stage NoRefinement\n')
    assert '0.40*' in text and 'labels as written: background 100.0, classes 100.0, all' in text
    assert json.loads((files.folder / 'sweep.json').read_text())['images'] == 4
    assert (files.folder / 'sweep.png').is_file()
    for path in (files.folder / 'scores').iterdir():
        path.unlink()
    assert 'no sweep: there are no scores' in report_pseudo_labels(dataset, files.folder, [0.1])


def test_errors(dataset, files, tmp_path):
    """If it fails, a folder of another split or size is evaluated as if it fitted."""
    with pytest.raises(MissingFileError, match='none of the 2 images of ShapesDataset val with'):
        eval_pseudo_labels(ShapesDataset(split='val', length=2), files.folder)
    with pytest.raises(InvalidInputError, match=r"png' is \(32, 32\), expected \(48, 48\)"):
        eval_pseudo_labels(ShapesDataset(length=6, size=48), files.folder)
    with pytest.raises(MissingFileError, match='no pseudo-labels in'):
        eval_pseudo_labels(dataset, tmp_path)


def test_foreign_ids(dataset, files):
    """If it fails, labels and scores of a class that ``meta.json`` does not name count as
    background."""
    first = dataset.image_ids[0]
    files.write(first, files.read_label(first), ScoreFile.quantise([3], np.zeros((1, 32, 32))))
    with pytest.raises(InvalidInputError, match=r"00000\.npz' is \[3\], expected 0, 255"):
        eval_pseudo_labels(dataset, files.folder)
    files.write(first, np.full((32, 32), 77, np.uint8))
    with pytest.raises(InvalidInputError, match=r"00000\.png' is \[77\], .* of meta.json: 5, 2$"):
        eval_pseudo_labels(dataset, files.folder)


def test_new_ids():
    """If it fails, a step's new classes are wrong or out of order; without a step, or in files of
    another tool, all classes are new."""
    meta = dict(ids=[6, 5, 1], step=1, protocol=dict(steps=[[1, 2], [5, 6]]))
    assert new_ids(meta) == [6, 5]
    assert new_ids({**meta, 'step': 0}) == [1]
    assert new_ids(dict(ids=[6, 1])) == [6, 1] == new_ids(dict(ids=[6, 1], protocol={}))


def test_classes_beyond_the_data_set(dataset, tmp_path):
    """If it fails, an id beyond the data set raises an IndexError, or labels without names are
    refused."""
    files = PseudoLabelFiles(tmp_path)
    files.write_meta(dict(ids=[5, 9], classes=['cross', 'bottle']))
    with pytest.raises(InvalidInputError, match='set unknown, where 9 is bottle; .* is no class'):
        check_classes(files, dataset)
    files.write_meta(dict(ids=[5], classes=['cross']))
    check_classes(files, dataset)
    files.write_meta(dict(ids=[9]))
    check_classes(files, dataset)


def test_damaged_list_of_images(dataset, files):
    """If it fails, a damaged file ends the report with a traceback."""
    (files.folder / 'image_labels.json').write_text('{"a": ')
    with pytest.raises(InvalidInputError, match=r"image_labels\.json' cannot be read"):
        count_made(files, dataset)
