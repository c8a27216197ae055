import pytest

from incseg.apis.config.check import check_types
from incseg.errors import InvalidInputError


@pytest.mark.parametrize(
    ('seam', 'message'),
    [
        (
            dict(refine=dict(type='DenseCFR'), image_labels=dict(type='MaskImageLabels')),
            "seam.refine.type is 'DenseCFR', which is not reg",
        ),
        (
            dict(refine=dict(type='DenseCRF', iterations=3)),
            r"unknown key 'seam\.refine\.iterations'",
        ),
        (
            dict(image_labels=dict(type='JSONImageLabels')),
            "seam.image_labels: missing a required argument: 'path' of JSONImageLabels",
        ),
    ],
)
def test_parts_of_seam(tiny, seam, message):
    """A misspelt refinement, or labels from nowhere, are said before images are read."""
    config = tiny()
    config.seam = seam
    with pytest.raises(InvalidInputError, match=message):
        check_types(config)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'data.train_pipeline.flip': dict(type='RandomFlip', prob='often')},
            'train_pipeline.flip cannot be built',
        ),
        ({'data.train_pipeline': 3}, 'data.train_pipeline is 3, expected transforms by name'),
        (
            {'method.hooks': dict(mine=dict(type='LoggerHook'))},
            "'LoggerHook', which is no MethodHook",
        ),
    ],
)
def test_values_of_parts(tiny, options, message):
    """What a part's constructor does not like is said with its key, not as a traceback."""
    with pytest.raises(InvalidInputError, match=message):
        tiny(**options)
