"""What every registered source of steps promises: classes and data sets that fit each other."""

import json

import pytest

from incseg.apis import load_config
from incseg.datasets import IncrementalDataset
from incseg.engine import Experiment
from incseg.engine.recipe.step_sources import StepSources, step_sources
from incseg.registry import DATASETS, STEP_SOURCES
from tests.common.contract import Contract, Example
from tests.conftest import CONFIGS, TINY

#: other pictures, which annotate the same classes
OTHER = {
    split: dict(type='ShapesDataset', split=split, length=24, size=32, seed=9)
    for split in ('train', 'test')
}


def written_out(**steps):
    """The protocol of steps: each a dict, or the list of its classes."""
    made = {k: v if isinstance(v, dict) else dict(classes=v) for k, v in steps.items()}
    return dict(name='open', steps=made)


#: The promise: the config whose steps it gives.
SOURCES = Contract(
    'source of steps',
    STEP_SOURCES,
    'incseg.engine',
    dict(
        OneDataset=Example(
            'mib/bisenet_r18_shapes_4-1.py',
            {'protocol.name': '4-1'},
            {'protocol.name': '2-3', 'protocol.class_order': [6, 1, 2, 5, 4, 3]},
            {'protocol.name': 'offline'},
        ),
        OpenProtocol=Example(
            'mib/bisenet_r18_shapes_4-1.py',
            {'protocol': written_out(a=['disc', 'ring'], b=['star'])},
            {'protocol': written_out(a=['disc'], b=dict(classes=['cross', 'square'], data=OTHER))},
        ),
    ),
    __file__,
)


def sources_of(name, options):
    experiment = Experiment(load_config(CONFIGS / SOURCES[name].promise, {**TINY, **options}))
    made = step_sources(experiment.config)
    assert type(made) is STEP_SOURCES.get(name) and isinstance(made, StepSources)
    return made


@SOURCES.each_way()
def test_classes_grow(name, options):
    """If it fails, an output changes its class from step to step, or its name or colour."""
    sources = sources_of(name, options)
    assert sources.num_steps >= 1
    for k in range(sources.num_steps):
        classes, palette = sources.classes(k), sources.palette(k)
        assert classes[0] == 'background' and len(set(classes)) == len(classes) == len(palette)
        outputs = sources.outputs_per_step(k)
        assert len(outputs) == k + 1 and sum(outputs) == len(classes) and min(outputs) > 0
        assert sources.old(k) + sources.new(k) == classes[1:] and sources.new(k)
        if k:
            before = sources.classes(k - 1)
            assert classes[: len(before)] == before and sources.old(k) == before[1:]
            assert palette[: len(before)] == sources.palette(k - 1)
            assert list(outputs[:-1]) == list(sources.outputs_per_step(k - 1))
    base, added = sources.reported()
    assert base + added == classes[1:]


@SOURCES.each_way()
@pytest.mark.parametrize('mode', ['train', 'test'])
def test_labels_are_the_outputs(name, options, mode):
    """If it fails, the network of a step is trained or tested with labels of other classes."""
    sources = sources_of(name, options)
    pipeline = [dict(type='LoadImage'), dict(type='LoadLabels'), dict(type='PackSegInputs')]
    for k in range(sources.num_steps):
        dataset = IncrementalDataset(
            DATASETS.build(sources.data(k, mode)),
            step=k,
            pipeline=pipeline,
            mode=mode,
            **sources.labelling(k),
        )
        assert list(dataset.metainfo['classes']) == sources.classes(k)
        assert [list(colour) for colour in dataset.metainfo['palette']] == sources.palette(k)
        seen = set()
        for i in range(len(dataset)):
            seen |= set(dataset[i]['data_samples'].gt_sem_seg.data.unique().tolist())
        assert seen <= {*range(len(sources.classes(k))), 255}
        new = {sources.classes(k).index(class_name) for class_name in sources.new(k)}
        assert new <= seen


@SOURCES.each_way()
def test_describes_itself_in_plain_data(name, options):
    """If it fails, a checkpoint or a ledger cannot be written, or is taken for another's."""
    sources = sources_of(name, options)
    again = sources_of(name, options)
    for k in (None, 0, sources.num_steps - 1):
        described = sources.describe(k)
        assert {'name', 'dataset', 'setting', 'steps', 'classes'} <= described.keys()
        assert json.loads(json.dumps(described)) == described == again.describe(k)
        assert (described['name'], described['setting']) == (sources.name, sources.setting)
    assert described['classes'][: len(sources.classes(k))] == sources.classes(k)
    assert json.dumps(sources.identity()) == json.dumps(again.identity())
    assert sources.remark() is None or isinstance(sources.remark(), str)


@SOURCES.each_way()
def test_every_class_has_one_home(name, options):
    """If it fails, a class is scored on no images or on two sets of them."""
    sources = sources_of(name, options)
    for k in range(sources.num_steps):
        homes = [each for part in sources.test_parts(k) for each in part.home_of]
        assert sorted(homes) == sorted(sources.classes(k))
        for part in sources.test_parts(k):
            assert {*part.home_of} <= {'background', *part.annotates}
            assert part.arguments['dataset'] in [sources.data(i, 'test') for i in range(k + 1)]
