"""A config with the model of another one."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, ConfigDict

from incseg.apis.config.check import check_config
from incseg.apis.config.loading import override
from incseg.apis.config.schema import SETTINGS
from incseg.engine.recipe.names import names_in, resolve
from incseg.evaluation.run_settings import MODEL_BASE


def with_model_of(config: Config, other: Mapping[str, Any], options: Mapping[str, Any]) -> Config:
    """Return a config with the model of another one in the place of its own.

    Top-level settings that the former model alone used are dropped.

    Args:
        config: A complete config; it is changed.
        other: The settings of the other config.
        options: Overrides by dotted key; those of ``model`` are applied to the new model.

    Returns:
        The config.

    Raises:
        InvalidInputError: The model or an option is wrong.
    """
    config.pop(MODEL_BASE, None)
    model = resolve(other['model'], {**other, 'pretrained': False})
    if model != resolve(config['model'], {**config, 'pretrained': False}):
        before = names_in({'model': config['model']}, config)
        config['model'] = ConfigDict(model)
        for name in before - {*SETTINGS} - names_in({key: config[key] for key in config}):
            config.pop(name)
    new: set[str] = set()
    for key, value in options.items():
        if key.partition('.')[0] == 'model':
            override(config, key, value, new)
    check_config(config)
    return config
