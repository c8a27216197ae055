"""What every registered kind of labels of a step promises."""

import json

import numpy as np
import pytest

from incseg.apis import load_config
from incseg.datasets import LoadLabels, PseudoLabelFiles
from incseg.engine import Experiment
from incseg.engine.labels import StepLabels, step_labels, training_set
from incseg.errors import MissingFileError
from incseg.registry import DATASETS, STEP_LABELS, TASK_UTILS, TRANSFORMS
from tests.common.contract import Contract, Example
from tests.conftest import CONFIGS, TINY

#: The promise: the config whose step is labelled by it, the step, and the folder of label maps
#: where they are files.
LABELS = Contract(
    'kind of labels',
    STEP_LABELS,
    'incseg.engine',
    dict(
        ImageLabels=Example(('wilson/bisenet_r18_shapes_4-2.py', 1, None)),
        JointPseudoLabels=Example(('joint_s/bisenet_r18_shapes_4-2.py', 0, 'offline/0')),
        MaskLabels=Example(('mib/bisenet_r18_shapes_4-1.py', 1, None)),
        PseudoLabels=Example(('ft_s/bisenet_r18_shapes_4-2.py', 1, '4-2/1')),
    ),
    __file__,
)


@pytest.fixture
def labels_of(tmp_path):
    """``labels_of(name)``: the labels of the example's step and their experiment, the label maps
    written where they are files."""

    def make(name):
        path, k, folder = LABELS[name].promise
        options = {**TINY, 'epochs': 2, **({'warmup_epochs': 1} if 'wilson' in path else {})}
        if folder is not None:
            options['annotation.folder'] = str(tmp_path)
        experiment = Experiment(load_config(CONFIGS / path, options))
        if folder is not None and not (tmp_path / folder).exists():
            source = DATASETS.build(training_set(experiment))
            write_pseudo_labels(source, experiment.training_protocol.new(k), tmp_path / folder)
        return step_labels(experiment, k), experiment

    return make


def write_pseudo_labels(source, ids, folder):
    """The masks of a step's classes as its pseudo-labels."""
    files = PseudoLabelFiles(folder)
    for i, image_id in enumerate(source.image_ids):
        label = source.get_data_info(i)['gt_seg_map']
        files.write(image_id, np.where(np.isin(label, ids), label, 0).astype(np.uint8))
    files.write_meta(dict(ids=list(ids), bg=dict(mode='const', value=0.3)))


@LABELS.each()
def test_the_step_has_its_labels(name, labels_of):
    """If it fails, a config gets other labels than it says, or two runs other ones."""
    labels, experiment = labels_of(name)
    assert type(labels) is STEP_LABELS.get(name) and isinstance(labels, StepLabels)
    assert labels.experiment is experiment and labels.step == LABELS[name].promise[1]
    again, _ = labels_of(name)
    source = DATASETS.build(training_set(experiment))
    dataset = labels.build(source)
    labels.check(dataset)
    for of_labels in (
        lambda one, data: one.loader(),
        lambda one, data: one.image_labels(),
        lambda one, data: one.identity(),
        lambda one, data: one.digest(data),
        lambda one, data: one.ledger_entry(),
    ):
        plain = of_labels(labels, dataset)
        assert json.dumps(plain) == json.dumps(of_labels(again, again.build(source)))
    assert labels.digest(dataset) is None or isinstance(labels.digest(dataset), str)
    assert isinstance(labels.ledger_entry(), dict)
    assert isinstance(labels.needs_previous, bool)
    labels.begin(None, None)
    labels.make()
    assert json.dumps(labels.loader()) == json.dumps(again.loader()), 'made where they are read'


@LABELS.each()
def test_samples_of_the_step(name, labels_of):
    """If it fails, the step is trained on labels that its network has no output for, or that
    nothing loads."""
    labels, experiment = labels_of(name)
    dataset = labels.build(DATASETS.build(training_set(experiment)))
    loader = labels.loader()
    assert loader is None or issubclass(TRANSFORMS.get(loader['type']), LoadLabels)
    outputs = len(experiment.classes_at(LABELS[name].promise[1]))
    assert len(dataset) > 3
    seen = set()
    for i in range(len(dataset)):
        sample = dataset[i]['data_samples']
        assert ('gt_sem_seg' in sample) == (loader is not None)
        if loader is None:
            assert len(sample.gt_image_labels) < outputs
            seen |= {1} if sample.gt_image_labels.any() else set()
        else:
            seen |= set(sample.gt_sem_seg.data.unique().tolist())
    assert seen - {0, 255} and seen <= {*range(outputs), 255}


@LABELS.each()
def test_who_needs_a_mask(name, labels_of):
    """If it fails, masks are asked for that no step reads, or one that is needed may lack."""
    labels, experiment = labels_of(name)
    lists = labels.image_labels()
    without_masks = lists is not None and not TASK_UTILS.get(lists['type']).reads_masks
    assert labels.partly_labelled == without_masks
    assert set(labels.mask_classes) <= set(experiment.training_protocol.new(labels.step))
    assert (name == 'MaskLabels') == (
        labels.mask_classes == experiment.training_protocol.new(labels.step)
    ), 'only masks label all classes of a step by masks'


@pytest.mark.parametrize('name', [n for n, part in LABELS.examples.items() if part.promise[2]])
def test_missing_files_are_named_before_the_first_step(name, labels_of, tmp_path):
    """If it fails, a label map that is missing is noticed after the base step was trained."""
    labels, experiment = labels_of(name)
    dataset = labels.build(DATASETS.build(training_set(experiment)))
    folder = tmp_path / LABELS[name].promise[2]
    shown = dataset.image_labels[dataset.indices][
        :, experiment.training_protocol.new(labels.step)
    ].any(1)
    image_id = dataset.image_ids[int(np.flatnonzero(shown)[0])]
    (folder / f'labels/{image_id}.png').unlink()
    with pytest.raises(MissingFileError, match=image_id):
        labels.check(dataset)
    (folder / 'meta.json').unlink()
    with pytest.raises(MissingFileError, match=f'{LABELS[name].promise[2]}/meta.json'):
        labels.check(dataset)
