"""Registries of incseg: children of mmengine's roots, scope ``incseg``.

``locations`` make a registry import the modules that fill it the first time
something is looked up, so nobody has to import anything for its side effects.
"""

from importlib import import_module
from typing import Any

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
    'step sources',
    scope=SCOPE,
    locations=['incseg.engine.recipe.step_sources', 'incseg.engine.recipe.open_protocol'],
)
TASK_UTILS = child(root.TASK_UTILS, 'incseg.datasets')
TRANSFORMS = child(root.TRANSFORMS, 'incseg.datasets.transforms')

# Nothing of ours lives in these; mmengine warns at every look-up in a scope without them.
MODEL_WRAPPERS = child(root.MODEL_WRAPPERS)
OPTIMIZERS = child(root.OPTIMIZERS)
VISBACKENDS = child(root.VISBACKENDS)
VISUALIZERS = child(root.VISUALIZERS)

#: every registry in which a config's ``type`` may stand
REGISTRIES = tuple(value for value in vars().copy().values() if isinstance(value, Registry))


def find(name: str, *registries: Registry) -> Any:
    """Return what is registered under a name; None if nothing is.

    mmengine's ``Registry.get`` imports whatever a dotted name says: of the type
    ``'subprocess.check_output'`` it would return the function, and ``build`` would call it.
    Here nothing is imported but our own modules that fill a registry.

    Args:
        name: A registered name, alone or after its scope: ``'BiSeNet'``, ``'incseg.BiSeNet'``.
        registries: Where to look; by default in all of incseg.
    """
    scope, _, key = name.rpartition('.')
    for registry in registries or REGISTRIES:
        registry.import_from_location()
        place: Registry | None = registry
        while place is not None:
            for node in (place, *place.children.values()) if scope else (place,):
                if (not scope or node.scope == scope) and key in node.module_dict:
                    return node.module_dict[key]
            place = place.parent
    return None


def names_of(*registries: Registry) -> set[str]:
    """Return the names under which parts are registered, those of the parent registries too.

    Args:
        registries: Where to look; by default in all of incseg.
    """
    names: set[str] = set()
    for registry in registries or REGISTRIES:
        registry.import_from_location()
        place: Registry | None = registry
        while place is not None:
            names |= {*place.module_dict}
            place = place.parent
    return names


def is_registered(kind: Any, *registries: Registry) -> bool:
    """Say whether a class or function is registered under any name."""
    for registry in registries or REGISTRIES:
        registry.import_from_location()
        place: Registry | None = registry
        while place is not None:
            for node in (place, *place.children.values()):
                if any(each is kind for each in node.module_dict.values()):
                    return True
            place = place.parent
    return False


def part_of(kind: Any, *registries: Registry) -> Any:
    """Return the class or function that the ``type`` of a user's own config stands for.

    Args:
        kind: A registered name, see :func:`find` and :func:`find_by_path`, or the class itself.
        registries: Where a name is looked up; by default in all of incseg.

    Returns:
        The class or function; None if it is neither a registered name nor callable.
    """
    if isinstance(kind, str):
        return find(kind, *registries) or find_by_path(kind, *registries)
    return kind if callable(kind) else None


def find_by_path(name: str, *registries: Registry) -> Any:
    """Return the registered part that mmengine finds under a name with dots; else None.

    The name is that of another library's scope, or the path of a module and a class, which is
    imported: for a user's own config only, which is code.

    Args:
        name: The name; one without dots is no path.
        registries: Where the part has to be registered; by default anywhere.
    """
    for registry in (registries or REGISTRIES) if '.' in name else ():
        try:
            found = registry.get(name)
        except Exception:  # the name leads nowhere, or into a module that raises anything
            continue
        if found is not None and is_registered(found, *registries):
            return found
    return None


def why_unknown(name: str, *registries: Registry) -> str | None:
    """Return why a dotted name of a user's own config leads nowhere, where a package is the cause.

    As :func:`find_by_path` it imports what the name says.

    Args:
        name: The name, ``'mmpretrain.ResNet'``.
        registries: Where it was looked up; by default in all of incseg.

    Returns:
        The package that is missing, or the reason for which it does not import; None where it is
        there and imports.
    """
    package, _, rest = name.partition('.')
    if not package or not rest:
        return None
    try:
        import_module(package)
    except Exception as error:  # a package's own code may raise anything
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            return f'needs {package}, which is not installed'
        return f'needs {package}, which does not import here: {_in_words(error)}'
    for registry in registries or REGISTRIES:
        try:
            registry.get(name)
        except Exception as error:
            if not isinstance(error, RuntimeError) or str(error) != f'Failed to get {name}':
                return f'needs {package}, which does not import here: {_in_words(error)}'
    return None


def _in_words(error: Exception) -> str:
    """Return the kind and the first line of an error."""
    text = (str(error).strip().splitlines() or [''])[0]
    return f'{type(error).__name__}: {text}' if text else type(error).__name__
