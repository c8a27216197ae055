import pytest

from incseg.engine.weak.seam_config import SeamSettings
from incseg.errors import InvalidInputError

MODEL = dict(type='Net', depth='$depth')


def test_defaults_and_settings():
    """What is left out has its default, what is said replaces it alone, '$name' is looked up."""
    settings = SeamSettings.of(
        dict(depth=50, seam=dict(model=MODEL, inference=dict(batch_size=2), epochs=8))
    )
    assert settings.model == dict(type='Net', depth=50)
    assert settings.image_labels == dict(type='MaskImageLabels')
    assert settings.refine == dict(type='NoRefinement')
    assert settings.inference['batch_size'] == 2
    assert tuple(settings.inference['scales']) == (0.5, 1.0, 1.5, 2.0)
    assert settings.inference['background'] == dict(mode='const', value=0.26)


def test_defaults_are_not_shared():
    """One config's settings do not become the next one's defaults."""
    first = SeamSettings.of(dict(depth=1, seam=dict(model=MODEL)))
    first.inference['batch_size'] = 99
    assert SeamSettings.of(dict(depth=1, seam=dict(model=MODEL))).inference['batch_size'] is None


@pytest.mark.parametrize(
    ('seam', 'message'),
    [
        (
            dict(inference=dict(scale=[1.0])),
            r"unknown key 'seam\.inference\.scale'; allowed: \['backg",
        ),
        (dict(inference=3), 'seam.inference is 3, expected a dict'),
        (
            dict(inference=dict(batch_size=0)),
            r'seam\.inference\.batch_size is 0, expected .*, or None',
        ),
        (dict(inference=dict(num_threads=0.5)), r'seam\.inference\.num_threads is 0\.5, expected'),
        (dict(inference=dict(num_threads=None)), r'seam\.inference\.num_threads is None, expected'),
        (
            dict(inference=dict(score_stride=0)),
            r'seam\.inference\.score_stride is 0, expected a whole',
        ),
        (
            dict(inference=dict(scores='no')),
            r"seam\.inference\.scores is 'no', expected True or False",
        ),
        (dict(inference=dict(uncertain=-3)), r'inference\.uncertain is -3, expected a number of 0'),
        (dict(inference=dict(uncertain=2)), r'seam\.inference\.uncertain is 2, expected'),
        (dict(inference=dict(uncertain='a')), r"seam\.inference\.uncertain is 'a', expected"),
        (dict(inference=dict(scales=None)), r'seam\.inference\.scales is None, expected a list'),
        (dict(inference=dict(scales=('a',))), r"seam\.inference\.scales is \['a'\], expected"),
        (dict(inference=dict(maps='x')), r"inference\.maps is 'x', expected 'cam' or 'refined'"),
        (dict(inference=dict(flip='x')), r"seam\.inference\.flip is 'x', expected True or False"),
        (dict(inference=dict(background=3)), r'seam\.inference\.background is 3; allowed is {mode'),
        (
            dict(inference=dict(background=dict(mode='const', value=3))),
            r'seam\.inference\.background: background\.value is 3, expected a score of 0 to 1',
        ),
        (
            dict(inference=dict(background=dict(mode='score'))),
            r"seam\.inference\.background\.mode is 'score', .* expected 'const' or 'pow'",
        ),
    ],
)
def test_mistakes(seam, message):
    """One line with the key, the value and what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        SeamSettings.of(dict(depth=50, seam=dict(model=MODEL, **seam)))


def test_no_seam():
    """A config of a dense experiment has no network to make labels with."""
    for config in (dict(), dict(seam=None), dict(seam=dict(scope='step'))):
        with pytest.raises(InvalidInputError, match="the config has no 'seam.model'"):
            SeamSettings.of(config)
