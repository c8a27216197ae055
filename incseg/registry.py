"""Registries of incseg: children of mmengine's roots, scope ``incseg``.

``locations`` make a registry import the modules that fill it the first time
something is looked up, so nobody has to import anything for its side effects.
"""

from mmengine import registry as root
from mmengine.registry import Registry

SCOPE = 'incseg'


def child(parent: Registry, *locations: str) -> Registry:
    """A registry of ours below one of mmengine's."""
    return Registry(parent.name, parent=parent, scope=SCOPE, locations=list(locations))


DATA_SAMPLERS = child(root.DATA_SAMPLERS, 'incseg.datasets')
DATASETS = child(root.DATASETS, 'incseg.datasets')
FUNCTIONS = child(root.FUNCTIONS, 'incseg.datasets')
HOOKS = child(root.HOOKS, 'incseg.engine.hooks')
LOOPS = child(root.LOOPS, 'incseg.engine.runner.step_runner')
METRICS = child(root.METRICS, 'incseg.evaluation')
MODELS = child(root.MODELS, 'incseg.models')
OPTIM_WRAPPER_CONSTRUCTORS = child(
    root.OPTIM_WRAPPER_CONSTRUCTORS, 'incseg.engine.runner.optim', 'incseg.engine.runner.optim'
)
OPTIM_WRAPPERS = child(root.OPTIM_WRAPPERS, 'incseg.engine.runner.optim')
PARAM_SCHEDULERS = child(root.PARAM_SCHEDULERS, 'incseg.engine.runner.schedules')
#: where a step's labels come from; mmengine has no such registry
STEP_LABELS = Registry(
    'step labels', scope=SCOPE, locations=['incseg.engine.labels', 'incseg.engine.weak']
)
#: the classes and data sets of every step; mmengine has no such registry
STEP_SOURCES = Registry(
    'step sources', scope=SCOPE, locations=['incseg.engine.recipe.step_sources']
)
TASK_UTILS = child(root.TASK_UTILS, 'incseg.datasets')
TRANSFORMS = child(root.TRANSFORMS, 'incseg.datasets.transforms')

# Nothing of ours lives in these; mmengine warns at every look-up in a scope without them.
MODEL_WRAPPERS = child(root.MODEL_WRAPPERS)
OPTIMIZERS = child(root.OPTIMIZERS)
VISBACKENDS = child(root.VISBACKENDS)
VISUALIZERS = child(root.VISUALIZERS)
