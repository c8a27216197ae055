"""A repository of somebody else's parts, as it was written for the library before: it still runs.

``plugin_repository/`` is not to be changed along with the library.
"""

import ast
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import Registry
from PIL import Image

from incseg import registry
from incseg.datasets import PseudoLabelFiles
from incseg.errors import InvalidInputError
from incseg.models import GrowingClassifier

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = Path(__file__).resolve().parent / 'plugin_repository'
TILES = ('background', 'red', 'green', 'blue', 'yellow', 'white')
COLOURS = ((30, 30, 30), (200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (220, 220, 220))
REGISTRIES = [value for value in vars(registry).values() if isinstance(value, Registry)]


def imported_names(files='**/*.py'):
    """``(module, name)`` of all that the repository imports of the library, each once."""
    found = set()
    for path in REPOSITORY.glob(files):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.split('.')[0] == 'incseg':
                found |= {(node.module, alias.name) for alias in node.names}
    return sorted(found)


def lay_tiles(root):
    """Pictures of two coloured tiles, their label files with the ids 0, 10, …, and ``tags.txt``."""
    rng = np.random.default_rng(0)
    tags = []
    for split, number in (('train', 24), ('test', 6)):
        for kind in ('pictures', 'tiles'):
            (root / kind / split).mkdir(parents=True)
        for i in range(number):
            labels = np.zeros((32, 32), np.uint8)
            shown = sorted({1 + i % 5, 1 + (i + 1 + i // 5) % 5})
            for column, label in enumerate(shown):
                top, left = rng.integers(0, 16, 2)
                labels[top : top + 14, 16 * column : 16 * column + 14] = label
                labels[top, left] = label
            picture = np.array(COLOURS, np.uint8)[labels]
            picture += rng.integers(0, 30, picture.shape).astype(np.uint8)
            Image.fromarray(picture).save(root / f'pictures/{split}/{i:02}.png')
            void = rng.random(labels.shape) < 0.01
            ids = np.where(void, 99, labels * 10).astype(np.uint8)
            Image.fromarray(ids).save(root / f'tiles/{split}/{i:02}.png')
            tags.append((split, f'{i:02}', [TILES[label] for label in shown]))
        (root / 'lists').mkdir(exist_ok=True)
        (root / f'lists/{split}.txt').write_text(
            ''.join(f'{image_id}\n' for part, image_id, _ in tags if part == split)
        )
    (root / 'tags.txt').write_text(
        ''.join(f'{i} {" ".join(names)}\n' for split, i, names in tags if split == 'train')
    )


@pytest.fixture
def repository(tmp_path):
    """A checkout of the repository beside some data, its configs told where the library is."""
    place = tmp_path / 'checkout'
    shutil.copytree(REPOSITORY, place, ignore=shutil.ignore_patterns('__pycache__'))
    for config in place.glob('my_config*.py'):
        config.write_text(config.read_text().replace('/path/to/incseg', ROOT.as_posix()))
    lay_tiles(place / 'data')
    return place


@pytest.fixture
def here(repository, monkeypatch):
    """This process works in the checkout; what its parts register is forgotten afterwards."""
    monkeypatch.chdir(repository)
    monkeypatch.syspath_prepend(repository)
    forget_my_parts()
    yield repository
    for node in REGISTRIES:
        for name, part in list(node.module_dict.items()):
            if part.__module__.startswith('my_parts.'):
                node.module_dict.pop(name)
    forget_my_parts()


def forget_my_parts():
    """Forget modules of that name, also those of another test's folder."""
    for name in [name for name in sys.modules if name.partition('.')[0] == 'my_parts']:
        sys.modules.pop(name)


@pytest.fixture
def tool(repository, tool_environment):
    """Run one of the library's tools in the checkout, as its README says."""

    def run(name, *arguments, **variables):
        path = os.pathsep.join([tool_environment['PYTHONPATH'], str(repository)])
        return subprocess.run(
            [sys.executable, str(ROOT / 'tools' / f'{name}.py'), *arguments],
            cwd=repository,
            env={**tool_environment, 'PYTHONPATH': path, **variables},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def scalars(step):
    """What was logged of a step's training, a dict for every iteration, runs in order."""
    files = sorted(step.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def checkpoint(path):
    return torch.load(path, map_location='cpu', weights_only=True)


def test_all_parts_at_once(tool, here):
    """Trained, interrupted, resumed and tested, with every part that goes with the others.

    If it fails, a head, loss, backbone, distillation, labeller, initialisation, transform or hook
    of somebody else's is called in another way than before, or is no longer kept.
    """
    work_dir = here / 'work_dirs/my_config'
    stopped = tool('train', 'my_config.py', '--no-reuse', MY_PARTS_STOP='step_1:3')
    assert stopped.returncode == 1, stopped.stdout + stopped.stderr
    assert 'interrupted; --resume goes on' in stopped.stderr
    half = checkpoint(work_dir / 'step_1/resume.pth')
    assert half['meta']['iter'] == 2
    assert set(half['method_state']) == {'drift', 'held'}
    assert half['method_state']['drift']['updates'] == 2
    assert set(half['method_state']['held']) == {'importance', 'mean', 'batches'}
    done = tool('train', 'my_config.py', '--no-reuse', '--resume')
    assert done.returncode == 0, done.stdout + done.stderr
    check_ledger(work_dir)
    check_log(work_dir)
    check_states(work_dir)
    tested = tool('test', 'my_config.py', 'work_dirs/my_config/step_2/final.pth')
    assert tested.returncode == 0, tested.stdout + tested.stderr
    trained, again = (
        re.findall(
            '[0-9.]+',
            next(line for line in run.stdout.splitlines()[::-1] if line.startswith('| 2 ')),
        )
        for run in (done, tested)
    )
    assert trained == again and len(trained) == 8
    entry = json.loads((work_dir / 'test_step_2.json').read_text())
    assert entry['iou'] == json.loads((work_dir / 'results.json').read_text())['steps'][2]['iou']

    use = import_module('my_parts.use')
    ledger = use.train('my_config.py', here / 'straight')
    assert len(ledger.steps) == 3
    straight, resumed = (
        checkpoint(path / 'step_2/final.pth') for path in (here / 'straight', work_dir)
    )
    assert straight['state_dict'].keys() == resumed['state_dict'].keys()
    for name, value in straight['state_dict'].items():
        torch.testing.assert_close(
            value, resumed['state_dict'][name], rtol=1e-4, atol=1e-5, msg=name
        )
    drift = [content['method_state']['drift'] for content in (straight, resumed)]
    assert drift[0]['steps'] == drift[1]['steps'] and drift[0]['updates'] == drift[1]['updates']


def check_ledger(work_dir):
    """Every step with all that other people's scripts read."""
    content = json.loads((work_dir / 'results.json').read_text())
    assert (content['config'], content['method'], content['seed']) == ('my_config.py', 'mine', 42)
    assert content['protocol']['name'] == '4-1'
    assert [entry['step'] for entry in content['steps']] == [0, 1, 2]
    for k, entry in enumerate(content['steps']):
        assert list(entry['iou']) == content['protocol']['classes'][: 5 + k]
        assert entry['train_images'] > 8 and entry['seconds'] > 0
        assert 10 < entry['accuracy'] < 100
    assert content['steps'][0]['train_images'] == 32
    assert content['steps'][1]['forgetting'] is not None
    assert content['final'] == content['steps'][2]['mib']
    assert not list(work_dir.rglob('resume.pth'))


def check_log(work_dir):
    """The losses of every part, by their names, and what the parts said and wrote."""
    plain = {'loss', 'decode_head.loss', 'aux_16.loss'}
    added = plain | {'distillation.logits.loss', 'distillation.stages.loss'}
    of_hooks = {'drift.distance', 'held.penalty'}
    steps = [scalars(work_dir / f'step_{k}') for k in range(3)]
    others = {'lr', 'data_time', 'time', 'iter', 'step', 'memory'}
    for k, expected in enumerate((plain, added | of_hooks, added | of_hooks)):
        assert all(set(line) - others == expected for line in steps[k]), f'step {k}'
    assert [line['iter'] for line in steps[0]] == list(range(1, 25))
    assert [line['iter'] for line in steps[1]] == [1, 2, 3, 4], 'the third before the end, again'
    assert steps[0][-1]['loss'] < 0.8 * steps[0][0]['loss']
    for line in steps[1] + steps[2]:
        assert line['loss'] == pytest.approx(sum(line[name] for name in added - {'loss'}), 1e-3)
        assert all(0 < line[name] < 1e3 for name in added | {'drift.distance'})
    for k in (1, 2):
        penalties = [line['held.penalty'] for line in steps[k]]
        assert penalties[0] < 1e-6 < min(penalties[1:]), 'none where the step begins'
    logs = ''.join(path.read_text() for path in (work_dir / 'step_1').glob('*/*.log'))
    thresholds = re.findall(r'sure labels: 2 batches, 6 classes, threshold (\S+)', logs)
    assert len(thresholds) == 2 and thresholds[0] == thresholds[1], 'prepared again for the rest'
    assert "drift: 4 updates after ['background', 'disc', 'square', 'triangle', 'ring']" in logs
    diaries = [json.loads((work_dir / f'step_{k}/diary.json').read_text()) for k in range(3)]
    assert [(day['first'], day['last'], day['images'], day['outputs']) for day in diaries] == [
        (0, 24, 192, 1),
        (2, 4, 16, 5),
        (0, 4, 32, 6),
    ]
    assert [set(day['losses']) for day in diaries] == [plain, added, added]


def check_states(work_dir):
    """What the hooks leave to the next step, and the weights of the own head and backbone."""
    first, second, third = (checkpoint(work_dir / f'step_{k}/final.pth') for k in range(3))
    assert set(first['method_state']) == {'held'}, 'the other takes no part in step 0'
    for content, steps, batches in ((second, [1], 28), (third, [1, 2], 32)):
        drift, held = content['method_state']['drift'], content['method_state']['held']
        assert (drift['steps'], drift['updates'], held['batches']) == (steps, 4, batches)
        logged = scalars(work_dir / f'step_{steps[-1]}')
        assert float(drift['total']) == pytest.approx(
            sum(line['drift.distance'] for line in logged), 1e-3
        )
    assert third['method_state']['drift']['weights'] == len(second['state_dict'])
    assert first['method_state']['held']['batches'] == 24
    trained = set(first['method_state']['held']['mean'])
    assert 'backbone.stages.0.0.weight' in trained and 'backbone.stages.0.1.weight' in trained
    assert 'backbone.stages.0.1.weight' not in second['method_state']['held']['mean'], 'frozen'
    weights = third['state_dict']
    assert weights['decode_head.own.conv.weight'].shape == (16, 24, 1, 1)
    assert weights['decode_head.classifier.steps.2.weight'].shape == (1, 16, 1, 1)
    assert weights['auxiliary_head.aux_16.classifier.steps.1.bias'].shape == (1,)
    assert not any('aux_32' in name or 'target_labeller' in name for name in weights)
    name = 'backbone.stages.1.1.running_mean'
    assert torch.equal(weights[name], first['state_dict'][name]), 'backbone_norm is frozen'
    name = 'backbone.stages.1.0.weight'
    assert not torch.equal(weights[name], first['state_dict'][name])


def test_own_data_from_python(here):
    """A data set of files with ids of its own, the weighted loss and inference, from Python."""
    use = import_module('my_parts.use')
    num_steps, classes, protocol = use.describe('my_config_files.py')
    assert (num_steps, tuple(classes)) == (3, TILES)
    assert protocol.steps == ((1, 2, 3), (4,), (5,)) and protocol.outputs_per_step(2) == (4, 1, 1)
    ledger = use.train('my_config_files.py', 'run', seed=1)
    assert [entry['train_images'] for entry in ledger.steps] == [
        sum(
            any(name in line.split() for name in names)
            for line in Path('data/tags.txt').read_text().splitlines()
        )
        for names in (TILES[1:4], TILES[4:5], TILES[5:])
    ]
    assert ledger.header['protocol']['dataset'] == 'tiles'
    assert ledger.steps[0]['mib']['base'] > 5
    last = scalars(Path('run/step_2'))
    assert set(last[-1]) >= {'decode_head.loss', 'distillation.logits.loss'}
    path = 'run/step_2/final.pth'
    assert 'method_state' not in checkpoint(path)

    picture = np.array(Image.open('data/pictures/test/00.png'))[..., ::-1].copy()
    plain, fast, names = use.segment('my_config_files.py', path, picture)
    assert plain.shape == (32, 32) and tuple(names) == TILES
    assert len(plain.unique()) > 1 and int(plain.max()) < len(TILES)
    assert (plain == fast).float().mean() > 0.9
    again, _, _ = use.segment('my_config_files.py', path, 'data/pictures/test/00.png')
    assert torch.equal(plain, again)
    painted = use.paint('my_config_files.py', path, 'data/pictures/test', 'painted')
    assert painted == [f'{i:02}.png' for i in range(6)]


def test_image_labels_and_refinement(tool, here):
    """A weak step: its classes are those of the tag file, its labels those of the refinement.

    SEAM trains on the own backbone, the step with the low-resolution loss.
    """
    done = tool('train', 'my_config_weak.py')
    assert done.returncode == 0, done.stdout + done.stderr
    work_dir = here / 'work_dirs/my_config_weak'
    content = json.loads((work_dir / 'results.json').read_text())
    assert [entry['step'] for entry in content['steps']] == [0, 1]
    tags = {
        image_id: names
        for image_id, *names in map(str.split, Path('data/tags.txt').read_text().splitlines())
    }
    weak = sorted(i for i, names in tags.items() if {'yellow', 'white'} & set(names))
    assert content['steps'][1]['train_images'] == len(weak) < len(tags)
    (made_by,) = content['steps'][1]['pseudo_labels']
    assert made_by['image_label_source'] == dict(type='TagFile', path='tags.txt')
    assert made_by['refine'] == dict(type='Smooth', floor=0.3)
    assert made_by['bg']['mode'] == 'score', 'a refinement makes a map of the background'
    seam = checkpoint(next(Path('work_dirs/_seam').glob('*/seam.pth')))
    assert seam['state_dict']['backbone.stages.2.0.weight'].shape == (24, 16, 3, 3)
    root = next(Path('work_dirs/_seam').glob('*/labels_*'))
    files = PseudoLabelFiles.of_step(root, '3-2', 1)
    assert sorted(path.stem for path in (files.folder / 'labels').iterdir()) == weak
    for image_id in weak:
        allowed = {0, 255} | {TILES.index(name) for name in tags[image_id]}
        assert set(np.unique(files.read_label(image_id)).tolist()) <= allowed
    assert json.loads((work_dir / 'step_1/weak_diary.json').read_text())['images'] > 0
    logged = scalars(work_dir / 'step_1')
    assert all(line['decode_head.loss'] > 0 for line in logged) and logged
    assert next(Path('work_dirs/_base_steps').glob('*/final.pth')).is_file(), 'shared'


def test_values_of_the_parts(here):
    """Called by hand, as their authors' own tests would: the interfaces, without a training."""
    import_module('my_parts')
    use = import_module('my_parts.use')
    grown = GrowingClassifier(4, (3, 2))
    registry.MODELS.build(dict(type='MeanInit', less=0.5))(grown)
    assert torch.allclose(grown.convs[1].weight[1], grown.convs[0].weight.mean(0))
    assert grown.convs[1].bias.tolist() == [-0.5, -0.5]
    backbone = registry.MODELS.build(dict(type='SmallBackbone', widths=(4, 6, 8)))
    maps, stages = backbone(torch.rand(2, 3, 32, 32), stages=True)
    assert [x.shape[1:] for x in maps] == [(4, 16, 16), (6, 8, 8), (8, 4, 4)]
    assert torch.equal(maps[2], stages[2].relu()) and backbone.tap_channels == (4, 6, 8)
    assert len(backbone.norm_layers()) == 3 and backbone.early_layers() == (backbone.stages[0],)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 4, 4, generator=generator)
    target = torch.randint(0, 5, (2, 16, 16), generator=generator)
    fused, parts = use.losses_both_ways(logits, logits[:, :4] * 2, target, 4)
    assert float(fused) == pytest.approx(float(sum(parts)), 1e-4)
    large = torch.nn.functional.interpolate(logits, size=(16, 16), mode='bilinear')
    weighted = registry.MODELS.build(dict(type='WeightedLoss', factor=2.0))
    assert float(weighted(large, target, num_old=4, ignore_index=255)) == pytest.approx(
        2 * float(parts[0]), 1e-4
    )
    zero = weighted(large, target, num_old=4, ignore_index=255, image_weight=torch.zeros(2))
    assert float(zero) == 0
    with pytest.raises(InvalidInputError, match='method.hooks.drift.pull is 2, expected a number'):
        registry.HOOKS.build(dict(type='DriftHook', name='drift', pull=2))
    with pytest.raises(InvalidInputError, match='method.hooks.held.share is 7'):
        registry.HOOKS.build(dict(type='MeanGradientHook', name='held', share=7))
    with pytest.raises(InvalidInputError, match="source is 'aux', expected"):
        use.describe('my_config.py', **{'method.distillation.stages.source': 'aux'})
    dataset = registry.DATASETS.build(dict(type='TilesDataset', data_root='data', split='test'))
    assert len(dataset) == 6 and dataset.num_classes == 5
    assert dataset.presence()[:, 1:].sum() == 12 and dataset.image_ids[0] == '00'
    label = dataset.label_reader('data/tiles/test/00.png')
    assert set(np.unique(label).tolist()) == {0, 1, 2, 255}


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (['--step', '1', '--epochs', '7'], 'step 1 of 3: cross\n5.924k parameters, 7 epochs, '),
        (
            [
                '--unit',
                'm',
                '--only',
                '2',
                '4',
                '--cfg-options',
                'protocol.name=5-1',
                'epochs=[2,3]',
            ],
            "step 0 of 2: square, ring\n0.006m parameters, 2 epochs, data_root ''\n",
        ),
        (['--data-root', 'elsewhere'], "data_root 'elsewhere'\n"),
    ],
)
def test_own_command_line(here, monkeypatch, capsys, arguments, expected):
    """The parser, the options of a config and their overrides."""
    monkeypatch.setattr(sys, 'argv', ['show_plan.py', 'my_config.py', *arguments])
    runpy.run_path('show_plan.py', run_name='__main__')
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        (['--step', 'x'], 2, "'x' is no whole number"),
        (['--ste', '1'], 2, 'unrecognized arguments'),
        (
            ['--step', '-1'],
            None,
            'error: show_plan.step is -1, expected a whole number of at least 0',
        ),
        (['--most', '0'], None, 'error: show_plan.most is 0.0, expected a number above 0, or None'),
        (
            ['--only', '0'],
            None,
            'show_plan.only is [0], expected a list of one or more, each a whole',
        ),
        (['--unit', 'g'], None, "error: show_plan.unit is 'g', expected 'k' or 'm'"),
        (['--step', '5'], None, '--steps is'),
        (['--cfg-options', 'epohcs=1'], None, "did you mean 'epochs'"),
    ],
)
def test_mistakes_on_the_own_command_line(here, monkeypatch, capsys, arguments, status, message):
    """One line for each, of argparse's status or with the message as ``sys.exit`` takes it."""
    monkeypatch.setattr(sys, 'argv', ['show_plan.py', 'my_config.py', *arguments])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path('show_plan.py', run_name='__main__')
    said = capsys.readouterr().err if status else stop.value.code
    assert message in said and said.strip().count('\n') == 0
    assert status is None or stop.value.code == status


@pytest.mark.parametrize(('module', 'name'), imported_names(), ids=lambda text: text)
def test_old_path(module, name):
    """What the repository imports is there, under its old path; a warning may say a newer one."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        warnings.simplefilter('ignore', DeprecationWarning)
        found = import_module(module)
        assert hasattr(found, name) or import_module(f'{module}.{name}')


def test_old_path_is_the_same_thing():
    """A class by its file's path is the one that its package offers, not a copy of it.

    Else ``isinstance`` would not know a subclass of somebody else's.
    """
    packages = {}
    for module, name in imported_names():
        for public in (module.rpartition('.')[0], '.'.join(module.split('.')[:2])):
            if name in getattr(import_module(public), '__all__', ()):
                packages[module, name] = public
    assert len(packages) > 25
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        for (module, name), public in packages.items():
            assert getattr(import_module(module), name) is getattr(import_module(public), name), (
                f'{module}.{name}'
            )


#: what the first import of a file of parts is likely to name
FIRST_OF_ALL = (
    'MethodHook',
    'BaseBackbone',
    'BaseDistillation',
    'SegDataset',
    'ArgumentParser',
    'read_step_checkpoint',
)
#: heavy libraries once; then each module in a process of its own
IMPORTER = """
import os, sys
import cv2, mmcv, mmengine.runner, numpy, torch, torchvision
for module in sys.argv[1:]:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        __import__(module)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f'{module} cannot be imported before all others')
"""


def test_old_path_first(tool_environment, tmp_path):
    """What a part imports can be the first that a program imports; a circle would show here."""
    modules = sorted({module for module, name in imported_names() if name in FIRST_OF_ALL})
    assert len(modules) == len(FIRST_OF_ALL)
    done = subprocess.run(
        [sys.executable, '-c', IMPORTER, *modules],
        cwd=tmp_path,
        env=tool_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
