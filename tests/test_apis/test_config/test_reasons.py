"""A wrong value is refused with what was probably meant, and no kind of value is a traceback."""

import pytest

from incseg.errors import InvalidInputError


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'protocol.name': 32}, "Python reads 3_2 as the number 32: write '3-2'$"),
        ({'protocol.name': '3_2'}, "did you mean '3-2'\\?$"),
        ({'protocol.name': True}, "or 'offline'$"),
        ({'protocol.name': 'x'}, "or 'offline'$"),
        (
            {'method.loss_decode': dict(type='MIBLoss')},
            "type is 'MIBLoss', expected a registered type .*; there are .*, 'CrossEntropyLoss',"
            " .* or 'UnbiasedCrossEntropyLoss'$",
        ),
        (
            {'method.loss_decode': dict(type='CrossEntropy')},
            "type is 'CrossEntropy', .*; did you mean 'CrossEntropyLoss'\\?$",
        ),
        ({'method.base_loss': dict(type='x')}, "method.base_loss.type is 'x', expected a regis"),
        ({'method.base_loss': dict(type='FCNHead')}, 'method.base_loss cannot be built: .*'),
        ({'model.backbone': dict(type='resnet')}, "did you mean 'ResNet'\\?$"),
        ({'protocol.type': 'OneDatset'}, "did you mean 'OneDataset'\\?$"),
        ({'custom_hooks.x': dict(type='a.b')}, r"custom_hooks.x.type is 'a.b', expected a regis"),
        ({'model.type': 0}, 'model.type is 0, expected a registered type'),
        ({'model.backbone.type': []}, r'model.backbone.type is \[\], expected a registered type'),
        ({'norm_cfg.type': ''}, "norm_cfg.type is '', expected 'BN'"),
        ({'model': dict(type='IncrementalSegmentor')}, 'model.backbone is None, expected dict'),
        ({'model.auxiliary_head': 3}, 'model.auxiliary_head is 3, expected parts by name, or None'),
        ({'method.hooks': 'x'}, "method.hooks is 'x', expected a dict, or None"),
        ({'seed': 1e30}, 'seed is 1e.30, expected a whole number'),
        ({'seed': 10**30}, 'seed is 10*, expected a whole number from 0 to 4294967295'),
        ({'schedule.poly_power': -5}, 'schedule.poly_power is -5, expected a number of at least 0'),
        ({'schedule.lr.base': 10**400}, 'schedule.lr.base is 10*…, expected a number above 0'),
        ({'model.auxiliary_weight': 'x'}, "model.auxiliary_weight is 'x', expected a number"),
        ({'data.train.length': 'x'}, "data.train.length is 'x', expected a whole number"),
        ({'data.train.metainfo': 3}, 'data.train: metainfo is 3, expected a dict'),
    ],
)
def test_reasons(tiny, options, message):
    """If it fails, the user has to guess what is wrong, or reads a traceback."""
    with pytest.raises(InvalidInputError, match=message) as error:
        tiny(**options)
    assert '\n' not in str(error.value)
