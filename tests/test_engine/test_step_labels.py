"""Another repository adds labels of its own kind: a registered class, named by the config."""

import json
from pathlib import Path

import numpy as np
import pytest

from incseg.apis import load_config
from incseg.apis.config.check import check_config
from incseg.datasets import ShapesDataset
from incseg.datasets.image_labels import BaseImageLabels
from incseg.datasets.transforms import LoadLabels
from incseg.engine import Experiment, train_protocol
from incseg.engine.labels import MaskLabels, StepLabels, step_labels
from incseg.engine.recipe.identity import file_sha
from incseg.engine.weak import ImageLabels, JointPseudoLabels, PseudoLabels
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import STEP_LABELS, TASK_UTILS, TRANSFORMS
from tests.conftest import CONFIGS, TINY


@TRANSFORMS.register_module(force=True)
class LoadBoxes(LoadLabels):
    """Label maps in which every box of an image is filled, from ``{image id: [[class, …]]}``."""

    seen: set = set()

    def __init__(self, path):
        self.boxes = json.loads(Path(path).read_text())

    def read(self, results):
        label = np.zeros(results['ori_shape'], np.uint8)
        for number, top, left, bottom, right in self.boxes[results['image_id']]:
            label[top:bottom, left:right] = number
        LoadBoxes.seen.add((results['image_id'], tuple(np.unique(label))))
        reader = results['label_reader']
        return label, results['image_id'], type(reader)(reader.num_classes)


@TASK_UTILS.register_module(force=True)
class BoxClasses(BaseImageLabels):
    """The classes of an image's boxes."""

    def __init__(self, dataset, path):
        super().__init__(dataset)
        self.boxes = json.loads(Path(path).read_text())

    def class_ids(self, image_id):
        return {box[0] for box in self.boxes[image_id]}


@STEP_LABELS.register_module(force=True)
class BoxLabels(StepLabels):
    """Boxes in a JSON file in place of masks."""

    calls: list = []

    def __init__(self, path, **kwargs):
        super().__init__(**kwargs)
        self.path = path

    def loader(self):
        return dict(type='LoadBoxes', path=self.path)

    def image_labels(self):
        return dict(type='BoxClasses', path=self.path)

    def check(self, dataset):
        boxes = json.loads(Path(self.path).read_text())
        for name in dataset.image_ids:
            if name not in boxes:
                raise MissingFileError(f'{self.path} has no boxes of image {name}')
        self.calls.append(('check', self.step))

    def make(self):
        assert (self.step == 0) == (self.previous is None)
        self.calls.append(('make', self.step))

    def identity(self):
        return [self.loader(), file_sha(self.path)]

    def digest(self, dataset):
        return file_sha(self.path)[:16]

    def ledger_entry(self):
        return dict(boxes=dict(count=len(json.loads(Path(self.path).read_text()))))


@pytest.fixture
def boxed(tmp_path):
    """``boxed(**options)``: MiB on Shapes, the added steps from boxes of the masks' objects."""
    data = ShapesDataset(length=32, size=32)
    boxes = {}
    for i, name in enumerate(data.image_ids):
        mask = data.get_data_info(i)['gt_seg_map']
        boxes[name] = []
        for number in set(np.unique(mask).tolist()) - {0, 255}:
            rows, columns = np.nonzero(mask == number)
            edges = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
            boxes[name].append([number, *map(int, edges)])
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(boxes))
    BoxLabels.calls, LoadBoxes.seen = [], set()

    leaf = tmp_path / 'boxes.py'
    leaf.write_text(
        f"_base_ = '{CONFIGS}/mib/bisenet_r18_shapes_4-1.py'\n"
        f"annotation = dict(type='BoxLabels', steps='added', path='{path}')\n"
    )

    def load(**options):
        return load_config(leaf, {**TINY, 'base_steps_dir': str(tmp_path / 'base'), **options})

    load.path, load.boxes = path, boxes
    return load


def test_a_fourth_kind_of_labels_trains(boxed, tmp_path):
    """If it fails, the engine does not ask the labels of another repository, or not in time."""
    ledger = train_protocol(boxed(), tmp_path / 'w')
    assert BoxLabels.calls == [('check', 1), ('check', 2), ('make', 1), ('make', 2)]
    assert [step.get('boxes') for step in ledger.steps] == [None, dict(count=32), dict(count=32)]
    new = {1: 5, 2: 6}
    with_new = {
        k: [name for name, boxes in boxed.boxes.items() if i in [box[0] for box in boxes]]
        for k, i in new.items()
    }
    assert [step['train_images'] for step in ledger.steps[1:]] == [len(with_new[k]) for k in (1, 2)]
    seen = {name for name, _ in LoadBoxes.seen}
    assert seen <= {*with_new[1], *with_new[2]} and seen & {*with_new[1]} and seen & {*with_new[2]}
    recorded = json.loads((tmp_path / 'w/config.json').read_text())['image_labels']
    assert recorded == dict.fromkeys('12', file_sha(boxed.path)[:16])
    changed = {name: boxes[::-1] for name, boxes in boxed.boxes.items()}
    boxed.path.write_text(json.dumps(changed))
    with pytest.raises(InvalidInputError, match='labels of step 1 are others'):
        train_protocol(boxed(), tmp_path / 'w', resume=True)


def test_its_base_step_is_another(boxed, tiny, tmp_path):
    """If it fails, a base step learned from boxes is taken for one learned from masks."""
    config = boxed(**{'annotation.steps': 'all'})
    train_protocol(config, tmp_path / 'a', [0])
    assert BoxLabels.calls == [('check', 0), ('make', 0)]
    assert 'reused_from' in train_protocol(config, tmp_path / 'b', [0]).steps[0]
    assert 'reused_from' not in train_protocol(tiny(), tmp_path / 'c', [0]).steps[0]
    boxed.path.write_text(json.dumps({name: of[::-1] for name, of in boxed.boxes.items()}))
    assert 'reused_from' not in train_protocol(config, tmp_path / 'd', [0]).steps[0]


def test_its_check_comes_first(boxed, tmp_path):
    """If it fails, the base step is trained for nothing."""
    first = next(name for name, of in boxed.boxes.items() if 6 in [box[0] for box in of])

    class Forgetful(BoxClasses):
        def class_ids(self, image_id):
            return super().class_ids(image_id) if image_id in self.boxes else {6}

    TASK_UTILS.register_module(name='BoxClasses', force=True, module=Forgetful)
    try:
        boxed.path.write_text(json.dumps({n: of for n, of in boxed.boxes.items() if n != first}))
        with pytest.raises(MissingFileError, match=f'no boxes of image {first}'):
            train_protocol(boxed(), tmp_path / 'w')
    finally:
        TASK_UTILS.register_module(name='BoxClasses', force=True, module=BoxClasses)
    assert not (tmp_path / 'w').exists()


def test_images_without_masks(boxed):
    """If it fails, images that only have boxes are refused for their missing masks."""
    for labels, partly, from_masks in (
        (step_labels(Experiment(boxed()), 0), False, (1, 2, 3, 4)),
        (step_labels(Experiment(boxed()), 1), True, ()),
    ):
        assert labels.partly_labelled is partly and labels.mask_classes == from_masks
    assert step_labels(Experiment(boxed()), 1).dataset()['dataset']['partly_labelled'] is True


def test_mistakes_in_its_config(boxed):
    """If it fails, a wrong type or argument stops the run after the base step."""
    for change, message in (
        (dict(type='BoksLabels'), "annotation.type is 'BoksLabels'"),
        (dict(paht='x'), "unknown key 'annotation.paht'.* did you mean 'annotation.path'"),
        (dict(steps='some'), "annotation.steps is 'some'"),
        (dict(step=1), "unknown key 'annotation.step'"),
        (dict(experiment=1), "unknown key 'annotation.experiment'"),
    ):
        config = boxed()
        config.annotation.update(change)
        with pytest.raises(InvalidInputError, match=message):
            check_config(config)
    config = boxed()
    config.annotation.pop('steps')
    with pytest.raises(InvalidInputError, match='annotation.steps'):
        check_config(config)


def test_which_labels(tiny, tiny_wilson):
    """Masks, lists of classes from step 1 on; each kind is registered under its name."""
    assert type(step_labels(Experiment(tiny()), 1)) is MaskLabels
    wilson = Experiment(tiny_wilson())
    assert [type(step_labels(wilson, k)) for k in (0, 1)] == [MaskLabels, ImageLabels]
    for kind in (MaskLabels, PseudoLabels, JointPseudoLabels, ImageLabels):
        assert STEP_LABELS.get(kind.__name__) is kind
