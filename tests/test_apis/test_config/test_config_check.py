import pytest

from incseg.apis.config.check import check_config
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


@pytest.mark.parametrize(
    ('option', 'value', 'message'),
    [
        ('loss_weight', 'much', r"method.hooks.ewc.loss_weight is 'much', expected a number"),
        (
            'loss_wieght',
            1.0,
            r"unknown key 'method.hooks.ewc.loss_wieght'.*did you mean.*loss_weight",
        ),
    ],
)
def test_a_methods_hook(tiny, option, value, message):
    """If it fails, a typing error in a hook's settings is found when step 1 begins."""
    config = tiny('ewc')
    config['method']['hooks']['ewc'][option] = value
    with pytest.raises(InvalidInputError, match=message):
        check_config(config)
