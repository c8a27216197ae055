"""``--model NAME``: another network for a leaf, and where its name goes."""

import json
from pathlib import Path

import pytest

from incseg.apis import init_model, load_config
from incseg.apis.config.model_base import default_work_dir
from incseg.apis.config.trained import load_trained_config
from incseg.apis.run_list import plan_runs
from incseg.engine import Experiment, train_protocol
from incseg.engine.base_steps import BaseSteps
from incseg.engine.recipe.step import config_for_step, config_for_test
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.comparison.rows import row_titles
from incseg.evaluation.comparison.runs import RunResult
from tests.conftest import TINY

CONFIGS = Path(__file__).parents[3] / 'configs'
NAMES = sorted(path.stem for path in (CONFIGS / '_base_/models').glob('*.py'))
METHODS = ('ft', 'mib', 'plop', 'ilt', 'joint', 'ewc', 'lwf_mc', 'wilson')
LEAVES = [
    leaf
    for method in METHODS
    for pattern in ('bisenet_r101_15-5', 'bisenet_*_shapes_4-*', 'bisenet_*_camvid_6-1')
    for leaf in sorted((CONFIGS / method).glob(f'{pattern}.py'))[:1]
]
MIB = CONFIGS / 'mib/bisenet_r18_shapes_4-1.py'


@pytest.fixture
def toy_base(tmp_path):
    """The path of a base with the toy network."""
    path = tmp_path / 'toy_net.py'
    path.write_text(
        'pretrained = False\n'
        "model = dict(type='IncrementalSegmentor', backbone=dict(type='ToyBackbone'), "
        "decode_head=dict(type='FCNHead'), auxiliary_head=None)\n"
    )
    return str(path)


@pytest.mark.parametrize('name', NAMES)
def test_every_name_composes(name):
    """With one leaf of each of several methods, in turns; the others are slow."""
    config = load_config(LEAVES[(7 * NAMES.index(name) + 1) % len(LEAVES)], {'model_base': name})
    assert config['model_base'] == name  # network and method were built on trial


@pytest.mark.slow
@pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: '/'.join(leaf.parts[-2:]))
@pytest.mark.parametrize('name', NAMES)
def test_every_name_composes_with_every_method(leaf, name):
    """Fine-tuning to WILSON, on VOC, Shapes and CamVid."""
    load_config(leaf, {'model_base': name})


def test_a_leaf_without_it_is_as_ever():
    """If it fails, hashes, ledgers and work dirs of earlier runs change."""
    config = load_config(MIB)
    assert 'model_base' not in config and 'model' not in Experiment(config).ledger_header()
    assert default_work_dir(config) == Path('work_dirs/bisenet_r18_shapes_4-1')


@pytest.mark.parametrize(
    ('leaf', 'name', 'kept', 'dropped'),
    [
        # the parity leaves say dropout_ratio and init_std of each head
        ('parity/mib_15-1', 'deeplabv3_r50', {'decode_head.dropout_ratio': 0.0}, 'aux_32.init_std'),
        ('parity/mib_15-1', 'bisenet_r18', {'auxiliary_head.aux_16.init_std': None}, None),
    ],
)
def test_what_a_leaf_says_of_its_network(leaf, name, kept, dropped, recwarn):
    """Kept where the new part has such an argument; a line names what is dropped."""
    config = load_config(CONFIGS / f'{leaf}.py', {'model_base': name})
    for key, value in kept.items():
        node = config['model']
        for part in key.split('.'):
            node = node[part]
        assert node == value
    lines = [str(each.message) for each in recwarn if '--model' in str(each.message)]
    assert len(lines) == (dropped is not None) and all(dropped in line for line in lines)


def test_the_old_depth_is_dropped(tmp_path, toy_base, recwarn):
    """A key in which the bases differ is the network's; pretrained=False of Shapes stays."""
    leaf = tmp_path / 'deep.py'
    leaf.write_text(f"_base_ = '{MIB}'\nmodel = dict(backbone=dict(depth=34))\nwidth = 'wide'\n")
    config = load_config(leaf, {'model_base': 'bisenet_r50'})
    assert config['model']['backbone']['depth'] == 50 and config['width'] == 'wide'
    assert config['pretrained'] is False
    assert [str(each.message) for each in recwarn if 'model.backbone.depth=34' in str(each.message)]
    config = load_config(leaf, {'model_base': toy_base, 'model.decode_head.dropout_ratio': 0.0})
    assert 'width' not in config and 'norm_cfg' not in config
    assert config['model']['decode_head']['dropout_ratio'] == 0


def test_a_leaf_may_choose_it_itself(tmp_path):
    """``model_base`` is a key like others."""
    leaf = tmp_path / 'mine.py'
    leaf.write_text(f"_base_ = '{MIB}'\nmodel_base = 'bisenet_r50'\n")
    assert load_config(leaf)['model']['backbone']['depth'] == 50


@pytest.mark.parametrize(
    ('name', 'kind', 'message'),
    [
        ('deeplab_lite0', InvalidInputError, "did you mean 'deeplabv3_lite0'"),
        ('gone/base.py', MissingFileError, '--model: no base of a model at gone/base.py'),
        (str(MIB), InvalidInputError, 'expected a base with model, and without data'),
        (str(CONFIGS / '_base_/methods/mib.py'), InvalidInputError, 'expected a base with model'),
        (3, InvalidInputError, '--model is 3, expected the name of a base'),
    ],
)
def test_unknown_names_are_refused(name, kind, message):
    """In one line, with the names that are near."""
    with pytest.raises(kind, match=message):
        load_config(MIB, {'model_base': name})


def test_a_training_and_its_resumption(tmp_path, toy_base):
    """Ledger, titles and the check of ``--resume`` have the name; a checkpoint needs none."""
    options = {**TINY, 'base_steps_dir': str(tmp_path / 'base'), 'model_base': toy_base}
    config = load_config(MIB, options)
    assert default_work_dir(config) == Path('work_dirs/bisenet_r18_shapes_4-1_toy_net')
    train_protocol(config, tmp_path / 'run', [0])
    with pytest.raises(InvalidInputError, match=r'started with model_base = .*toy_net.py'):
        train_protocol(load_config(MIB, {**options, 'model_base': 'bisenet_r50'}), tmp_path / 'run',
                       resume=True)  # fmt: skip
    ledger = train_protocol(load_config(MIB, options), tmp_path / 'run', resume=True)
    assert [entry['step'] for entry in ledger.steps] == [0, 1, 2]
    content = json.loads((tmp_path / 'run/results.json').read_text())
    assert content['model'] == 'toy_net' and content['config'].endswith('shapes_4-1.py')
    title = (tmp_path / 'run/results.md').read_text().splitlines()[0]
    assert title == 'mib with toy_net on shapes 4-1 overlap: mIoU, %'
    run = RunResult.read(tmp_path / 'run/results.json')
    assert row_titles([run]) == ['mib with toy_net']
    file = tmp_path / 'run/step_2/final.pth'
    trained = load_trained_config(MIB, {}, file)[0]  # the leaf alone says another network
    assert trained['model'] == config['model'] and trained['model_base'] == toy_base
    with pytest.raises(InvalidInputError, match=r"--model is 'bisenet_r50', expected .*as step_2"):
        load_trained_config(MIB, {'model_base': 'bisenet_r50'}, file)
    Path(toy_base).unlink()
    assert len(init_model(file).dataset_meta['classes']) == 7


def test_base_steps_follow_the_network(tmp_path, toy_base):
    """The hash sees the network, not how it was chosen."""
    mine = tmp_path / 'mine.py'
    bases = {
        'chosen': (MIB, {'model_base': toy_base}),
        'written': (mine, {}),
        'other': (MIB, {'model_base': 'bisenet_r18'}),
        'own': (MIB, {}),
    }
    folder = CONFIGS / '_base_'
    names = ('data/shapes', 'protocols/4-1', 'schedules/shapes', 'methods/mib')
    mine.write_text(f'_base_ = {[toy_base, *(str(folder / f"{name}.py") for name in names)]}\n')
    places = {}
    for key, (path, options) in bases.items():
        experiment = Experiment(load_config(path, options))
        step = config_for_step(experiment, 0, 32, 'somewhere')
        test = config_for_test(experiment, 0, '')
        places[key] = BaseSteps(tmp_path).place(experiment, step, test, 'data')
    assert places['chosen'] == places['written'] != places['own'] == places['other']


def test_runs_of_a_matrix(tmp_path, toy_base):
    """A run of a file has a ``model``; its work dir and its command line have it, too."""
    path = tmp_path / 'runs.json'
    path.write_text(json.dumps({'runs': [dict(config=str(MIB), model=toy_base, seeds=[3])]}))
    [run] = plan_runs([str(path)], tmp_path)
    assert run.title == 'mib/bisenet_r18_shapes_4-1_toy_net_seed3'
    assert run.config['model']['backbone']['type'] == 'ToyBackbone'
    assert any(part.startswith('model_base=') for part in run.command())
    path.write_text(json.dumps({'runs': [dict(config=str(MIB), model=3)]}))
    with pytest.raises(InvalidInputError, match=r'runs\[0\].model is 3, expected the name'):
        plan_runs([str(path)], tmp_path)
