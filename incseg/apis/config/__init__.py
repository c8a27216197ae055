"""Configs: loaded, overridden, checked before anything is built."""

from incseg.apis.config.loading import (
    DEFAULTS,
    cause,
    load_config,
    override,
    parse_options,
)

__all__ = ['DEFAULTS', 'cause', 'load_config', 'override', 'parse_options']
