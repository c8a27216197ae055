"""Configs: read, overridden, and checked before anything is built."""

from incseg.apis.config.loading import cause, load_config, override, parse_options
from incseg.apis.config.schema import DEFAULTS

__all__ = ['DEFAULTS', 'cause', 'load_config', 'override', 'parse_options']
