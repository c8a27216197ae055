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
        ({'custom_hooks.x': dict(type='a.b')}, "custom_hooks.x.type is 'a.b', which needs a, "),
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
        ({'custom_imports': 3}, 'custom_imports is 3, expected'),
        ({'custom_imports': dict(import_=['os'])}, 'custom_imports is .*, expected'),
        ({'custom_imports': dict(imports=['no such'])}, 'custom_imports is .*, expected'),
        ({'custom_imports': dict(imports=['nix_da'])}, "the module 'nix_da' cannot be imported: "),
        (
            {'schedule.lr_schedule': dict(type='StepLR', step_size=0)},
            'schedule.lr_schedule: StepLR cannot make a step .ZeroDivisionError',
        ),
        ({'model.decode_head.channels': 0}, 'channels is 0, expected a whole number of at least 1'),
        (
            {'schedule.optimizer.lr': 2},
            'optimizer.lr is 2, expected no value: schedule.lr',
        ),
        ({'schedule.optimizer.momentum': 2}, 'schedule.optimizer.momentum is 2, expected a number'),
        ({'protocol.name': '9-1'}, "^protocol '9-1': base is 9, expected"),
        ({'protocol.setting': 'disjiont'}, "^protocol .*; did you mean 'disjoint'\\?$"),
        (
            {'protocol.class_order': 'disc'},
            "class_order is 'disc', expected a list of all",
        ),
        ({'method.frozen': ['backbon']}, "did you mean 'backbone'\\?$"),
        ({'data.future': 'backgroud'}, "did you mean 'background'\\?$"),
        ({'schedule.poly_power': float('inf')}, 'poly_power is inf, expected .*, finite$'),
        (
            {'model.data_preprocessor.std': [0, 0, 0]},
            r'std of .* is \[0, 0, 0\], expected three',
        ),
        ({'method.name': '../x'}, "method.name is '../x', expected a name of letters"),
        ({'data.name': ''}, "data.name is '', expected a name"),
        ({'warmup_epochs': 3, 'epochs': 2}, 'warmup_epochs = 3, in which the learning rate does'),
    ],
)
def test_reasons(tiny, options, message):
    """If it fails, the user has to guess what is wrong, or reads a traceback."""
    with pytest.raises(InvalidInputError, match=message) as error:
        tiny(**options)
    assert '\n' not in str(error.value)
