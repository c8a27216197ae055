"""What every method promises: a page, a leaf, and a training that resumes exactly."""

from inspect import getfile
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from incseg.apis import load_config
from incseg.engine import Experiment, train_protocol
from incseg.engine.hooks import MethodHook
from incseg.registry import HOOKS
from tests.common.toys import ToyBackbone

ROOT = Path(getfile(train_protocol)).resolve().parents[2]
BASES = sorted((ROOT / 'configs/_base_/methods').glob('*.py'))
#: What a toy training needs changed, so that four iterations go through all of the method.
TOY_SIZES = dict(
    wilson={
        'warmup_epochs': 1,
        'method.target_labeller.lowest': 0.0,
        'method.target_labeller.foreground': 0.99,
        'method.target_labeller.background': 0.99,
    },
    rw={'method.hooks.rw.interval': 3},
    replay={'method.memory.size': 8},
)
TOY = {
    'model.backbone': dict(type=ToyBackbone.__name__),
    'model.auxiliary_head.aux_32': None,
    'data.train.length': 24,
    'data.train.size': 32,
    'data.test.length': 4,
    'data.test.size': 32,
    'batch_size': 4,
    'epochs': [1, 2],
    'schedule.log_interval': 100,
    'schedule.checkpoint_interval': 2,
}
OF_EACH_METHOD = pytest.mark.parametrize('path', BASES, ids=lambda path: path.stem)
KEYS = {
    *('name', 'loss_decode', 'distillation', 'classifier_init', 'target_labeller', 'hooks'),
    *('memory', 'frozen', 'joint', 'image_labels', 'negatives'),
}


class PowerCutError(Exception):
    """Stands for a power cut."""


@HOOKS.register_module(force=True)
class ToyWatch(Hook):
    """Writes down each iteration's losses by step, and interrupts ``(step, iteration)``."""

    priority = 'LOWEST'
    stop = None
    losses: dict = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        k = len(runner.model.decode_head.classifier.steps) - 1
        found = {name: value.item() for name, value in outputs.items() if 'loss' in name}
        for hook in runner.hooks:
            if isinstance(hook, MethodHook):
                found |= {f'{hook.name}.{key}': x.item() for key, x in hook.losses().items()}
        ToyWatch.losses.setdefault(k, []).append(found)
        if ToyWatch.stop == (k, batch_idx + 1):
            raise PowerCutError


def leaf(path):
    """The method's leaf on Shapes."""
    leaves = sorted((ROOT / 'configs' / path.stem).glob('bisenet_r18_shapes_*.py'))
    assert leaves, f'the method {path.stem} has no leaf configs/{path.stem}/bisenet_r18_shapes_*.py'
    return leaves[0]


@pytest.fixture(scope='session')
def base_steps(tmp_path_factory):
    """The methods share their base steps, as they do for a user."""
    return tmp_path_factory.mktemp('base_steps')


def toy(path, base_steps):
    options = {**TOY, **TOY_SIZES.get(path.stem, {}), 'base_steps_dir': str(base_steps)}
    config = load_config(leaf(path), options)
    config.custom_hooks = dict(watch=dict(type=ToyWatch.__name__))
    return config


def saved(work_dir, k, name='final'):
    """A file of a step, of which nothing may be pickled."""
    return torch.load(work_dir / f'step_{k}/{name}.pth', weights_only=True)


def is_same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(is_same(a[key], b[key]) for key in a)
    return a == b


@OF_EACH_METHOD
def test_trains_and_resumes_exactly(path, base_steps, tmp_path):
    """If it fails, a method dies on its way, a loss of it is not there or does not move, or what
    an interrupted step needs is not kept: the run then ends with other weights."""
    config = toy(path, base_steps)
    last = min(1, Experiment(config).num_steps - 1)
    hooks = {name: HOOKS.get(hook['type']) for name, hook in config.method.get('hooks', {}).items()}
    ToyWatch.stop, ToyWatch.losses = None, {}
    straight = train_protocol(config, tmp_path / 'a', range(last + 1))
    check_losses(config.method, ToyWatch.losses[last], last)
    before, trained = (saved(tmp_path / 'a', k) for k in (0, last))
    assert all(x.isfinite().all() for x in trained['state_dict'].values())
    moved = [
        key
        for key, x in trained['state_dict'].items()
        if not is_same(x, before['state_dict'].get(key))
    ]
    assert last == 0 or any('classifier.steps.1' in key for key in moved)
    assert last == 0 or any('backbone' in key for key in moved) != bool(config.method.get('frozen'))
    assert trained.get('method_state', {}).keys() <= hooks.keys()

    # step 0 is no shared one where it is the only one, or a hook takes part in it
    whole = last == 0 or any(hook.in_base_step for hook in hooks.values())
    for k in {0, last} if whole else {last}:
        ToyWatch.stop = (k, 3)
        with pytest.raises(PowerCutError):
            train_protocol(config, tmp_path / 'b', range(last + 1), resume=True, reuse=not whole)
        assert saved(tmp_path / 'b', k, 'resume')['meta']['iter'] == 2
    ToyWatch.stop = None
    resumed = train_protocol(config, tmp_path / 'b', range(last + 1), resume=True, reuse=not whole)
    for k in range(last + 1):
        one, other = (saved(tmp_path / name, k) for name in 'ab')
        assert is_same(one['state_dict'], other['state_dict']), f'weights of step {k}'
        assert is_same(one.get('method_state'), other.get('method_state')), f'hooks of step {k}'
    free = dict(seconds=0, reused_from='')
    assert [{**x, **free} for x in straight.steps] == [{**x, **free} for x in resumed.steps]


def check_losses(method, logged, k):
    """Each loss that the method names is logged, finite, and another one in each iteration."""
    assert len(logged) >= 4
    expected = {'loss', 'decode_head.loss', 'aux_16.loss'}
    if k:
        expected |= {f'distillation.{name}.loss' for name in method.distillation}
    assert expected <= logged[-1].keys()
    for name in logged[-1]:
        values = [losses[name] for losses in logged if name in losses]
        assert all(abs(value) < 1e4 for value in values), name
        assert len(set(values)) > 1, f'{name} does not move'


@OF_EACH_METHOD
def test_is_made_of_choices(path):
    """If it fails, a method has another name than its file, or a key that nobody reads."""
    method = Config.fromfile(path).method
    assert method.name == path.stem
    assert {'loss_decode', 'distillation', 'classifier_init', 'target_labeller'} <= method.keys()
    assert method.keys() <= KEYS, 'a key that no other method has: add it to this test'
    assert load_config(leaf(path), {'pretrained': False}).method.name == path.stem


def parts_of(method):
    """Registered names of the parts that a method is made of, in the order of the choices."""
    choices = [
        method.loss_decode,
        *method.distillation.values(),
        method.classifier_init,
        method.target_labeller,
        *method.get('hooks', {}).values(),
    ]
    return [choice['type'] for choice in choices if choice]


@OF_EACH_METHOD
def test_stands_in_the_docs(path):
    """If it fails, a method is there that nobody finds, or its page is about something else."""
    name, link = path.stem, f'](docs/methods/{path.stem}.md)'
    readme, index = (ROOT / 'README.md').read_text(), (ROOT / 'docs/methods/README.md').read_text()
    assert any(link in row for row in readme.splitlines() if row.startswith('| ')), 'README'
    row = next((row for row in index.splitlines() if f'({name}.md) |' in row), '')
    assert f'| `configs/{name}` |' in row, 'table of docs/methods/README.md'
    page = (ROOT / f'docs/methods/{name}.md').read_text()
    assert page.startswith('# ') and f'configs/{name}/' in page
    parts = ', '.join(f'`{part}`' for part in parts_of(Config.fromfile(path).method))
    assert f'\n\nParts: {parts}.\n\n' in page, f'docs/methods/{name}.md'


def test_every_folder_of_configs_is_a_method():
    """If it fails, configs lie where no method is, or a page is about none."""
    methods = {path.stem for path in BASES}
    folders = {path.name for path in (ROOT / 'configs').iterdir()} - {'_base_', 'bisenet', 'parity'}
    index = (ROOT / 'docs/methods/README.md').read_text()
    for weak in folders - methods:
        assert weak.removesuffix('_s') in methods and f'`{weak}`' in index, weak
    assert {path.stem for path in (ROOT / 'docs/methods').glob('[!R]*.md')} == methods
