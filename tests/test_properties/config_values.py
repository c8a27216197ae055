"""Values of any kind for any key of a config, and what becomes of the config."""

import warnings
from copy import deepcopy
from functools import cache

import torch
from hypothesis import strategies as st
from mmengine.registry import DefaultScope

from incseg.apis import load_config
from incseg.apis.config.check import check_config
from incseg.apis.config.loading import override
from incseg.apis.config.schema import SETTINGS
from incseg.engine.labels import all_labels
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import config_for_step, config_for_test
from incseg.registry import HOOKS, MODELS, PARAM_SCHEDULERS, TRANSFORMS, find
from incseg.utils.signatures import arguments
from tests.common.toys import TOY_NETWORK
from tests.conftest import CONFIGS, TINY

METHODS = {
    'mib': '4-1',
    'plop': '4-1',
    'ewc': '4-1',
    'replay': '4-1',
    'ilt': '4-1',
    'pi': '4-1',
    'mib_s': '4-2',
    'wilson': '4-2',
}
NAMES = ['x', '', '32', '$seed', '$nothing', '$', 'BN', 'FCNHead', 'ResNet', 'a.b', 'RandomFlip']
TYPES = [*NAMES, 0, None, [], True, {}]
numbers = st.one_of(
    st.sampled_from([0, 1, -1, 2, 10**6, 10**30, 10**400, 0.5, 1e-300, 1e30]),
    st.floats(),
    st.integers(-10, 300),
)
atoms = st.one_of(st.none(), st.booleans(), numbers, st.sampled_from(NAMES), st.just(b'x'))
parts = st.fixed_dictionaries({'type': st.sampled_from(TYPES)}, optional={'x': atoms})
values = st.recursive(
    st.one_of(atoms, parts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(['a', 'type', 'size', 'lr', 1]), inner, max_size=3),
    ),
    max_leaves=4,
)


@cache
def loaded(method):
    """The config of a method on Shapes with the toy network, as loaded."""
    options = {**TINY, **TOY_NETWORK}
    if method == 'wilson':
        options |= dict(epochs=2, warmup_epochs=1)
    return load_config(CONFIGS / method / f'bisenet_r18_shapes_{METHODS[method]}.py', options)


@cache
def keys(method):
    """Every key of a method's config, the arguments that its parts have, and the schema's."""

    def inside(node, prefix):
        if not isinstance(node, dict):
            return
        kind = find(node['type']) if isinstance(node.get('type'), str) else None
        names = {*node, *((arguments(kind) or ()) if kind else ())}
        for name in sorted(names):
            key = f'{prefix}.{name}' if prefix else name
            yield key
            yield from inside(node.get(name), key)

    config = loaded(method).to_dict()
    own = {*inside(config, ''), *SETTINGS}
    return sorted(key for key in own if config.get('seam') or not key.startswith('seam.'))


@st.composite
def overrides(draw):
    """A method, and values of one or two of its keys."""
    method = draw(st.sampled_from(sorted(METHODS)))
    chosen = st.sampled_from(keys(method))
    return method, draw(st.dictionaries(chosen, values, min_size=1, max_size=2))


def overridden(method, options):
    """The method's config with the overrides, checked as ``load_config`` does."""
    config = deepcopy(loaded(method))
    for key, value in options.items():
        override(config, key, deepcopy(value))
    check_config(config)
    return config


def build(config):
    """Build what steps 0 and 1 are trained with, the network without memory, and no data."""
    assert DefaultScope.get_current_instance() is not None
    experiment = Experiment(config)
    all_labels(experiment)
    for k in range(min(experiment.num_steps, 2)):
        previous = 'final.pth' if k else None
        step = config_for_step(experiment, k, 32, '', num_replayed=3 * k, previous=previous)
        with torch.device('meta'), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            model = MODELS.build(step.model.to_dict())
        optimizer = build_optimizer(step.optim_wrapper.to_dict(), model)
        for schedule in step.param_scheduler:
            made = PARAM_SCHEDULERS.build(dict(schedule, optimizer=optimizer))
            made.step(), made.step()
        for hook in (*step.custom_hooks, *step.default_hooks.values()):
            if hook is not None:
                HOOKS.build(dict(hook))
        test = config_for_test(experiment, k, '').test_dataloader.dataset.pipeline
        for transform in (*step.train_dataloader.dataset.pipeline, *test):
            TRANSFORMS.build(dict(transform))


def build_optimizer(config, model):
    """Build a step's optimiser as the Runner does."""
    from incseg.registry import OPTIM_WRAPPER_CONSTRUCTORS

    kind = config.pop('constructor', 'DefaultOptimWrapperConstructor')
    options = dict(paramwise_cfg=config.pop('paramwise_cfg', None), optim_wrapper_cfg=config)
    return OPTIM_WRAPPER_CONSTRUCTORS.build(dict(type=kind, **options))(model)
