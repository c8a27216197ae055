import numpy as np

from incseg.datasets.sources.shapes_scene import KINDS, texture_bank


def test_bank_is_constant_and_varied():
    """Pictures are a function of their seed only if the textures never change."""
    bank = texture_bank(64)
    assert len(bank) == len(KINDS)
    texture_bank.cache_clear()
    for textures, again in zip(bank, texture_bank(64)):
        assert len({t.tobytes() for t in textures}) == len(textures)
        for one, two in zip(textures, again):
            np.testing.assert_array_equal(one, two)


def test_textures_use_the_whole_range():
    """A flat texture would leave only colour to tell classes by."""
    for textures in texture_bank(64):
        for texture in textures:
            assert texture.dtype == np.uint8 and texture.shape == (64, 64)
            assert texture.min() < 40 and texture.max() > 215
