"""What makes a checkpoint a model by itself: its config, its input, where its parts come from."""

from collections.abc import Mapping
from importlib.metadata import packages_distributions, version
from typing import Any

from incseg.engine.checkpoint.content import plain_settings
from incseg.engine.checkpoint.step import StepCheckpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.names import resolve
from incseg.models.data_preprocessor import build_preprocessor
from incseg.registry import find, find_by_path

#: packages whose registered types need no import of the user's
OWN = ('incseg', 'mmengine', 'mmcv', 'torch', 'torchvision')


def model_meta(
    experiment: Experiment, previous: StepCheckpoint | None = None, data: Any = None
) -> dict[str, Any]:
    """Return the keys of ``meta`` that make a step's checkpoint a model by itself.

    Args:
        experiment: The experiment.
        previous: The previous step's checkpoint; None at step 0.
        data: Fingerprint of the images and masks; None where nobody made one.

    Returns:
        ``config``: the complete config as it was written, overrides applied, ``'$name'`` kept;
        ``input``: what the network expects of an image (:func:`input_of`); ``imports``: a list
        with a dict ``(type, module, distribution, version)`` for each type that is not the
        library's; ``previous``: the digest of the previous step's network; ``data``: as given.
    """
    config = stored_config(experiment.raw_config)
    config['filename'] = experiment.ledger_header()['config']
    if experiment.channels_last is not None:  # the network is used as it was trained
        config['model'] = dict(config['model'], channels_last=experiment.channels_last)
    return dict(
        config=config,
        input=input_of(experiment.config),
        imports=foreign_types(config),
        previous=None if previous is None else previous.tensors,
        data=data,
    )


def stored_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config as plain data, each registered type as its bare name (no scope, no path).

    Args:
        config: A config, or a section of one; it is not changed.
    """
    plain: dict[str, Any] = _with_names(dict(config))
    return plain


def _with_names(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = {key: _with_names(item) for key, item in value.items()}
        if 'type' in value:
            items['type'] = _bare_name(value['type'])
        return plain_settings(items)
    if isinstance(value, (list, tuple)):
        made = [_with_names(item) for item in value]
        return made if isinstance(value, list) else tuple(made)
    return plain_settings(value)


def _bare_name(kind: Any) -> Any:
    """Return the registered name of a type, without a scope; what has none stays as it is."""
    if isinstance(kind, str):
        bare, found = kind.rpartition('.')[2], find(kind) or find_by_path(kind)
        return bare if found is not None and find(bare) is found else kind
    name = getattr(kind, '__name__', None)
    return name if name is not None and find(name) is kind else plain_settings(kind)


def input_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the network expects of an image.

    Args:
        config: A complete config.

    Returns:
        ``mean`` and ``std``, one number per channel of pixels from 0 to 255, and ``channels``,
        ``'rgb'`` or ``'bgr'`` (None for a preprocessor that does not say them); ``image_scale``,
        the factor on the size before anything else; ``eval_mode``; ``transforms``, those of each
        mode by name, in order.
    """
    model = resolve(config['model'], config)
    preprocessor = build_preprocessor(model.get('data_preprocessor'), model['backbone'])
    numbers = {
        name: [float(str(each)) for each in value.flatten().cpu().numpy()]  # 123.675 as it is
        if (value := getattr(preprocessor, name, None)) is not None
        else None
        for name in ('mean', 'std')
    }
    rgb = getattr(preprocessor, 'bgr_to_rgb', None)
    return dict(
        numbers,
        channels=None if rgb is None else 'rgb' if rgb else 'bgr',
        image_scale=config['image_scale'],
        eval_mode=config['eval_mode'],
        transforms=plain_settings(resolve(config['data']['test_pipelines'], config)),
    )


def foreign_types(config: Any) -> list[dict[str, str | None]]:
    """Return where the types of a config that are not the library's come from.

    Args:
        config: A config or a part of one, nested dicts and lists.

    Returns:
        A dict ``(type, module, distribution, version)`` for each such registered type, by name.
    """
    found: dict[str, dict[str, str | None]] = {}
    left = [config]
    while left:
        item = left.pop()
        if isinstance(item, Mapping):
            left += item.values()
        elif isinstance(item, list | tuple):
            left += item
        name = item.get('type') if isinstance(item, Mapping) else None
        kind = find(name) if isinstance(name, str) else None
        module = getattr(kind, '__module__', None)
        if isinstance(name, str) and module and module.partition('.')[0] not in OWN:
            found[name] = dict(type=name, module=module, **distribution_of(module))
    return [found[name] for name in sorted(found)]


def distribution_of(module: str) -> dict[str, str | None]:
    """Return which installed package holds a module.

    Args:
        module: Dotted name, as ``'my_package.heads'``.

    Returns:
        ``{'distribution': name, 'version': version}``; both None for a module of no package.
    """
    names = packages_distributions().get(module.partition('.')[0])
    return dict(
        distribution=names[0] if names else None, version=version(names[0]) if names else None
    )
