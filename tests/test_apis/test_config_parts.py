import pytest

from incseg.apis.config_parts import arguments, check_part, check_types
from incseg.errors import InvalidInputError
from incseg.registry import MODELS


def test_arguments_reach_through_kwargs():
    """FCNHead hands **kwargs on: its base's arguments are allowed, others are not."""
    head = MODELS.get('FCNHead')
    assert {'in_channels', 'channels', 'dropout_ratio', 'norm_cfg'} <= arguments(head)
    assert 'num_convs' not in arguments(head)


def test_a_head_that_looks_at_its_values(tiny):
    """Built without memory a tensor has no values; such a part is built for real, not refused."""
    import torch

    from incseg.models import FCNHead

    @MODELS.register_module(force=True)
    class LookingHead(FCNHead):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.rates = torch.linspace(0, 1, 3).tolist()
    tiny(**{'model.decode_head.type': 'LookingHead'})


def test_part_without_a_type():
    """A part must say what it is."""
    with pytest.raises(InvalidInputError, match=r'x is 3, expected dict\(type='):
        check_part('x', 3, MODELS)
    check_part('x', None, MODELS)


def test_parts_of_seam(tiny):
    """A misspelt refinement is said before a network is loaded and images are read."""
    config = tiny()
    config.seam = dict(refine=dict(type='DenseCFR'), image_labels=dict(type='MaskImageLabels'))
    with pytest.raises(InvalidInputError, match="seam.refine.type is 'DenseCFR', which is not reg"):
        check_types(config)
    config.seam = dict(refine=dict(type='DenseCRF', iterations=3))
    with pytest.raises(InvalidInputError, match=r"unknown key 'seam\.refine\.iterations'"):
        check_types(config)
