import pytest

from incseg.engine.seam_settings import SeamSettings
from incseg.errors import InvalidInputError

MODEL = dict(type='Net', depth='$depth')


def test_defaults_and_settings():
    """What is left out has its default, what is said replaces it alone, '$name' is looked up."""
    settings = SeamSettings.of(dict(depth=50, seam=dict(
        model=MODEL, inference=dict(batch_size=2), epochs=8)))
    assert settings.model == dict(type='Net', depth=50)
    assert settings.image_labels == dict(type='MaskImageLabels')
    assert settings.refine == dict(type='NoRefinement')
    assert settings.inference['batch_size'] == 2
    assert tuple(settings.inference['scales']) == (.5, 1., 1.5, 2.)
    assert settings.inference['background'] == dict(mode='const', value=.26)


def test_defaults_are_not_shared():
    """One config's settings do not become the next one's defaults."""
    first = SeamSettings.of(dict(depth=1, seam=dict(model=MODEL)))
    first.inference['batch_size'] = 99
    assert SeamSettings.of(dict(depth=1, seam=dict(model=MODEL))).inference['batch_size'] is None


@pytest.mark.parametrize(('seam', 'message'), [
    (dict(inference=dict(scale=[1.])), r"unknown key 'seam\.inference\.scale'; allowed: \['backg"),
    (dict(inference=dict(batch_size=0)), 'seam.inference.batch_size=0: expected a whole number'),
    (dict(inference=dict(num_threads=.5)), 'seam.inference.num_threads=0.5: expected a whole'),
])
def test_mistakes(seam, message):
    """One line with the key, the value and what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        SeamSettings.of(dict(depth=50, seam=dict(model=MODEL, **seam)))


def test_no_seam():
    """A config of a dense experiment has no network to make labels with."""
    for config in (dict(), dict(seam=dict(scope='step'))):
        with pytest.raises(InvalidInputError, match="the config has no 'seam.model'"):
            SeamSettings.of(config)
