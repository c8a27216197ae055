"""Each class is scored on the test images of the step that taught it."""

import pytest
import torch

from incseg.evaluation import HomeMetric, class_table
from incseg.evaluation.confusion import iou_per_class, pixel_accuracy
from incseg.evaluation.homes import home_scores

CLASSES = ['background', 'cat', 'dog', 'horse']
#: rows: truth, columns: prediction.  The first source annotates cat and dog, the second horse.
ANIMALS = torch.tensor([[50, 3, 2, 5], [4, 20, 1, 0], [0, 2, 10, 3], [0, 0, 0, 0]])
HORSES = torch.tensor([[60, 7, 0, 8], [0, 0, 0, 0], [0, 0, 0, 0], [5, 0, 1, 19]])
HOMES = dict(background=0, cat=0, dog=0, horse=1)
ANNOTATES = [{'cat', 'dog'}, {'horse'}]


def test_worked_example():
    """If it fails, a class is scored on images in which nobody labelled it."""
    scores = home_scores([ANIMALS, HORSES], CLASSES, ANNOTATES, HOMES)
    iou = scores['iou']
    assert iou['cat'] == pytest.approx(100 * 20 / (20 + 5 + 5))
    assert iou['dog'] == pytest.approx(100 * 10 / (10 + 5 + 3))
    assert iou['horse'] == pytest.approx(100 * 19 / (19 + 6 + 8))
    # 5 pixels of the first source's background that are predicted as horse may be horses
    assert iou['background'] == pytest.approx(100 * 50 / (50 + 5 + 4))
    right, counted = 80 + 79, (100 - 5) + (100 - 7)
    assert scores['accuracy'] == pytest.approx(100 * right / counted)
    assert scores['elsewhere'] == dict(cat=7.0, dog=1.0, horse=8.0)


def test_one_source_is_as_ever():
    """If it fails, the numbers of a closed protocol depend on how its steps are written."""
    names = {*CLASSES[1:]}
    scores = home_scores([ANIMALS], CLASSES, [names], dict.fromkeys(CLASSES, 0))
    assert list(scores['iou'].values()) == iou_per_class(ANIMALS)
    assert scores['accuracy'] == pixel_accuracy(ANIMALS)
    assert set(scores['elsewhere'].values()) == {None}


def test_a_class_without_home():
    """If it fails, a class whose test images are out of reach gets a score of other images."""
    homes = dict(background=0, cat=0, dog=0)
    scores = home_scores([ANIMALS], CLASSES, ANNOTATES[:1], homes)
    assert scores['iou']['horse'] is None and scores['elsewhere']['horse'] == 8.0


def test_the_metric_tells_sources_apart():
    """If it fails, images of several sources are counted together, or one is forgotten."""
    metric = HomeMetric([['cat', 'dog'], ['horse']], HOMES)
    metric.dataset_meta = dict(classes=CLASSES)
    for part, matrix in enumerate((ANIMALS, HORSES)):
        truth = torch.arange(4).repeat_interleave(matrix.sum(1))
        guess = torch.cat([torch.arange(4).repeat_interleave(row) for row in matrix])
        for half in (slice(0, 33), slice(33, None)):
            sample = dict(gt_sem_seg=dict(data=truth[half]), pred_sem_seg=dict(data=guess[half]))
            metric.process(None, [dict(sample, test_part=part) if part else sample])
    known = home_scores([ANIMALS, HORSES], CLASSES, ANNOTATES, HOMES)
    assert metric.evaluate(4) == {f'seg/{name}': value for name, value in known.items()}
    assert metric.evaluate(4)['seg/accuracy'] is None, 'counts do not outlive an evaluation'


def test_the_table_says_where_a_class_is_scored():
    """If it fails, nobody sees that a new class floods pictures in which nobody labelled it."""
    iou = dict.fromkeys(CLASSES[:3], 50.0)
    ledger = dict(
        protocol=dict(homes=dict(background='animals', cat='animals', dog=None, horse='horses')),
        steps=[
            dict(step=0, iou=iou, elsewhere=None, tests=dict(animals=100)),
            dict(
                step=1,
                iou=dict(iou, horse=25.0, dog=None),
                elsewhere=dict(cat=7.0, dog=None, horse=0.25),
                tests=dict(animals=100, horses=40),
            ),
        ],
    )
    lines = [''.join(line.split()) for line in class_table(ledger).splitlines()]
    assert '|class|testimages|step0|step1|elsewhere|' in lines
    assert '|cat|animals,100|50.0|50.0|7.0%|' in lines and '|dog|none|50.0|-|-|' in lines
    assert '|horse|horses,40|-|25.0|0.2%|' in lines
    assert lines[-1] == 'warningcat:7.0%ofthepixelsoftestimagesthatdonotannotateit'
    ledger['steps'][0]['elsewhere'] = dict(cat=2.0)
    assert class_table(ledger).endswith('annotate it; before: 2.0 %')
    del ledger['protocol']['homes']
    assert 'elsewhere' not in class_table(ledger)
