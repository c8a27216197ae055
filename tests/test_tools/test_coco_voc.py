"""From COCO's and VOC's downloads to both steps of WILSON and both evaluations, by the tools."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.apis import load_config
from incseg.apis.config.loading import parse_options
from incseg.datasets import COCOVOCDataset
from incseg.engine import Experiment
from incseg.engine.labels import step_dataset, training_set
from incseg.engine.step_datasets import check_masks
from incseg.errors import MissingFileError
from incseg.registry import DATASETS

ROOT = Path(__file__).parents[2]
LEAF = ROOT / 'configs/wilson/bisenet_r101_coco-voc_60-20.py'
TINY = [
    'pretrained=False',
    'model.backbone.depth=18',
    'model.auxiliary_head=None',
    'batch_size=2',
    'epochs=[1,2]',
    'warmup_epochs=1',
    'crop_size=64',
    'num_workers=0',
    'schedule.amp=False',
    'method.target_labeller.refine.dilations=(1,2)',
    'schedule.lr_factors.auxiliary_head=None',
]


@pytest.fixture
def downloads(make_coco, tmp_path):
    """Four images of COCO, of which one shows a cat, and VOC with all 20 classes, two an image."""
    coco = make_coco(
        train={
            '1': [('truck', 0, 0, 20, 20)],
            '2': [('bed', 9, 9, 30, 30)],
            '3': [('truck', 5, 5, 25, 25), ('cat', 0, 0, 9, 9)],
        },
        val={'4': [('truck', 0, 0, 20, 20), ('cat', 20, 20, 40, 30)]},
    )
    voc = tmp_path / 'VOC2012'
    for folder in ('JPEGImages', 'SegmentationClassAug', 'ImageSets/Segmentation'):
        (voc / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split, count in dict(train_aug=10, val=2).items():
        names = [f'{split}{i}' for i in range(count)]
        (voc / f'ImageSets/Segmentation/{split}.txt').write_text('\n'.join(names))
        for i, name in enumerate(names):
            pixels = rng.integers(0, 255, (30, 40, 3), np.uint8)
            Image.fromarray(pixels).save(voc / f'JPEGImages/{name}.jpg')
            mask = np.zeros((30, 40), np.uint8)
            mask[:10], mask[20:] = 2 * i + 1, 2 * i + 2
            Image.fromarray(mask).save(voc / f'SegmentationClassAug/{name}.png')
    return ['--data-root', str(coco), '--cfg-options', f'voc_root={voc}', *TINY]


def test_train_and_both_tests(tool, downloads, tmp_path):
    """Each step gets its own data set's images; COCO's and VOC's validation images are scored."""
    coco = downloads[1]
    code, out = tool('train', LEAF, '--work-dir', 'run', *downloads)
    assert code.startswith('error: folder of label maps') and 'incseg paint-coco-masks' in code
    assert tool('paint_coco_masks', coco)[1].out == 'train: 3/3 masks\nval: 1/1 masks\n'

    code, out = tool('train', LEAF, '--work-dir', 'run', *downloads)
    assert code == 0 and 'wilson on coco_voc 60-20 overlap' in out.out
    ledger = json.loads((tmp_path / 'run/results.json').read_text())
    assert [step['train_images'] for step in ledger['steps']] == [2, 10]
    assert ledger['protocol']['classes'] == list(COCOVOCDataset.METAINFO['classes'])
    known = [
        {name for name, iou in step['iou'].items() if iou is not None} for step in ledger['steps']
    ]
    assert known[0] == {'background', 'truck'} and 'cat' not in ledger['steps'][0]['iou']
    assert known[1] == {'background', 'truck', 'cat'}

    code, out = tool(
        'test',
        LEAF,
        'run/step_1/final.pth',
        '--work-dir',
        'on_voc',
        *downloads,
        'data.test.split=voc_val',
    )
    assert code == 0
    entry = json.loads((tmp_path / 'on_voc/test_step_1.json').read_text())
    seen = {name for name, iou in entry['iou'].items() if iou is not None}
    assert seen == {'background', 'aeroplane', 'bicycle', 'bird', 'boat'}
    assert entry['mib']['base'] is None and entry['mib']['added'] is not None


def test_image_labels_from_vocs_xml_files(tool, downloads, tmp_path):
    """The added step with no mask of VOC's, from its box annotations; COCO still needs masks."""
    tool('paint_coco_masks', downloads[1])
    voc = tmp_path / 'VOC2012'
    shutil.rmtree(voc / 'SegmentationClassAug')
    (voc / 'Annotations').mkdir()
    for i, name in enumerate(COCOVOCDataset.METAINFO['classes'][61:71]):
        (voc / f'Annotations/train_aug{i}.xml').write_text(
            f'<annotation><object><name>{name}</name></object></annotation>'
        )
    options = parse_options([*downloads[3:], f'data_root={downloads[1]}'])
    options['method.image_labels'] = dict(
        type='PartImageLabels', parts=dict(voc_train_aug=dict(type='VOCXMLImageLabels'))
    )
    experiment = Experiment(load_config(LEAF, options))
    source = DATASETS.build(training_set(experiment))
    check_masks(experiment, source)
    base, added = (step_dataset(experiment, k, source) for k in (0, 1))
    assert (base.image_ids, len(added)) == (['1', '2'], 10)
    assert added.image_labels[:, :10].tolist() == np.eye(10).tolist()
    assert not added.image_labels[:, 10:].any()
    (tmp_path / 'coco/masks/train2017/1.png').unlink()
    with pytest.raises(MissingFileError, match=r'masks/train2017/1\.png'):
        DATASETS.build(training_set(experiment))


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('voc_root=gone', "voc_root 'gone' does not exist"),
        ('voc_root=3', 'voc_root is 3, expected'),
        ('data.test.split=val', "split is 'val', expected coco_train"),
    ],
)
def test_mistakes(tool, downloads, tmp_path, option, message):
    """One line that names the key, before anything is trained or left behind."""
    tool('paint_coco_masks', downloads[1])
    code, _ = tool('train', LEAF, '--work-dir', 'run', *downloads, option)
    assert code.startswith('error: ') and message in code and '\n' not in code
    assert not (tmp_path / 'run/step_0/final.pth').exists()


def test_no_download(tool, tmp_path):
    """The painting tool's own errors."""
    code, _ = tool('paint_coco_masks', tmp_path / 'nowhere')
    assert code.startswith('error: ') and 'instances_train2017.json' in code
    assert not (tmp_path / 'nowhere').exists()
