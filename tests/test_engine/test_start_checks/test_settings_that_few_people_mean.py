"""Settings that are allowed and that nobody means often are said at the start."""

import pytest


@pytest.mark.parametrize(
    ('method', 'options', 'message'),
    [
        ('mib', {'method.distillation.logits.loss_weight': 0}, 'logits.loss_weight is 0: the part'),
        ('mib', {'method.distillation.logits.loss_weight': 1e-300}, 'loss_weight is 1e-300: the'),
        ('ewc', {'method.hooks.ewc.loss_weight': 0.0}, 'method.hooks.ewc.loss_weight is 0.0'),
        (
            'plop',
            {
                'method.distillation.pooled.feature_factor': 0,
                'method.distillation.pooled.logits_factor': 0,
            },
            'method.distillation.pooled.logits_factor are 0: the part has no',
        ),
        ('mib', {'method.loss_decode.loss_weight': 0}, 'nothing is learned from the labels'),
        (
            'mib',
            {'schedule.poly_power': 0},
            'schedule.poly_power=0: the learning rate of step 0 never falls',
        ),
        ('mib', {'schedule.poly_power': 0.0, 'warmup_epochs': 1, 'epochs': 2}, 'poly_power=0.0: '),
        (
            'mib',
            {'schedule.lr_schedule': dict(type='ConstantLR', factor=1.0)},
            'never falls: it is 0.05 at the start and 0.05 at the end',
        ),
        ('mib', {'schedule.poly_power': 1e300}, 'below 1e-12 for half of its iterations'),
        (
            'mib',
            {'data.test.exif': 'ignore'},
            "data.train.exif is 'apply', data.test.exif 'ignore'",
        ),
        ('mib', {'data.train.value_range': [0, 9]}, 'data.train.value_range is [0, 9], data.test'),
        ('mib', {'schedule.lr.base': 2}, 'schedule.lr.base is 2: networks hardly ever'),
        ('mib', {'schedule.lr.added': 100.0}, 'schedule.lr.added is 100.0: networks'),
        ('mib', {'crop_size': 8}, 'crop_size is 8, in pixels'),
        ('mib', {'crop_size': (64, 1)}, 'crop_size is (64, 1), in pixels'),
        (
            'mib',
            {'image_scale': 0.01},
            'of 500 pixels becomes one of 5',
        ),
        (
            'mib',
            {'data.train.metainfo.palette': [[0, 0, 0], [9, 9, 9], [1, 2, 3], [9, 9, 9]]},
            "classes 'a' and 'c' have one colour, [9, 9, 9]",
        ),
        ('mib', {'batch_size': 3}, 'batch_size is 3, but step 1 has 2 training images'),
        (
            'mib',
            {'batch_size': 30},
            'batch_size is 30, but step 0 has 3, step 1 has 2 training images',
        ),
    ],
)
def test_settings_that_few_people_mean(start, method, options, message):
    """If it fails, a setting without effect, or with an odd one, is noticed in the results."""
    [line] = start(method, **options)
    assert message in line


def test_a_memory_fills_a_batch(start):
    """If it fails, replay is warned of a batch that it fills."""
    memory = dict(size=2, strategy='random')
    assert start(batch_size=4, **{'method.memory': memory})[0].startswith(
        'batch_size is 4, but step 0 has 3 training'
    )
    assert start(batch_size=3, **{'method.memory': memory}) == []
