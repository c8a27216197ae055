"""What every registered hook promises."""

import inspect

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import get_priority

from incseg.engine.hooks import MethodHook
from incseg.registry import HOOKS
from tests.common.contract import Contract, Example
from tests.common.test_methods import BASES

#: The promise: for a method's hook the method that is trained with it; for others where a run,
#: a test or a training of SEAM takes them in.
PARTS = Contract(
    'hook',
    HOOKS,
    'incseg.engine.hooks',
    dict(
        CompileHook=Example('run'),
        EWCHook=Example('ewc'),
        IncrementalHook=Example('run'),
        IterationSeedHook=Example('run'),
        LossLogHook=Example('run'),
        PaintHook=Example('test'),
        PathIntegralHook=Example('pi'),
        ProgressHook=Example('run'),
        RiemannianWalkHook=Example('rw'),
        SafeCheckpointHook=Example('run'),
        StartBackboneHook=Example('SEAM'),
        WeightFusionHook=Example('ewf'),
    ),
    __file__,
)
OF_METHODS = sorted(name for name, part in PARTS.parts().items() if issubclass(part, MethodHook))


@PARTS.each()
def test_is_called_where_it_wants_to_be(name):
    """If it fails, a misspelt point or argument: mmengine calls hooks by name and with keywords,
    and what it does not know is never called."""
    PARTS[name]
    kind = PARTS.parts()[name]
    assert issubclass(kind, Hook) and 0 <= get_priority(kind.priority) <= 100
    points = {
        key: value
        for key, value in vars(Hook).items()
        if key.split('_')[0] in ('before', 'after') and callable(value)
    }
    own = [key for key in dir(kind) if key.split('_')[0] in ('before', 'after')]
    called = [key for key in own if getattr(kind, key) is not points.get(key)]
    assert called and set(called) <= set(points), 'a point that mmengine does not know'
    for key in called:
        expected = list(inspect.signature(points[key]).parameters)
        assert list(inspect.signature(getattr(kind, key)).parameters) == expected, key


@pytest.mark.parametrize('name', OF_METHODS)
def test_a_method_is_trained_with_it(name):
    """If it fails, no toy training (``test_methods.py``) shows that a resumed step ends alike."""
    configs = {path.stem: Config.fromfile(path).method for path in BASES}
    hooks = configs[PARTS[name].promise].get('hooks', {}).values()
    assert name in {hook['type'] for hook in hooks}


@pytest.mark.parametrize('name', OF_METHODS)
def test_what_the_engine_asks_of_it(name):
    """If it fails, a method's hook cannot be named, or is left out of step 0 by mistake."""
    hook = PARTS.build(name, name='mine')
    assert hook.name == 'mine' and isinstance(type(hook).in_base_step, bool)
    assert hook.previous_state == {} and hook.resumed_state is None
    assert hook.losses() == {}, 'nothing was trained yet'
