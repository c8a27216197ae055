import pytest

from incseg.apis.config_check import check_config
from incseg.errors import InvalidInputError


def test_missing_section(tiny):
    """A config without its schedule says so, instead of failing deep in the composition."""
    config = tiny()
    config.pop('schedule')
    with pytest.raises(InvalidInputError, match="the config has no 'schedule'"):
        check_config(config)
    config = tiny()
    config['method'].pop('classifier_init')
    with pytest.raises(InvalidInputError, match="no 'method.classifier_init'"):
        check_config(config)
