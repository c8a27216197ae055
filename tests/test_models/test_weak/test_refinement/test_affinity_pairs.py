import torch

from incseg.models.weak.refinement.affinity_pairs import (
    offsets,
    pixel_affinities,
    pixel_pairs,
    sources,
)


def test_34_offsets():
    """Within a radius of 5, each pair once: an offset and its opposite would count it twice."""
    found = offsets()
    assert len(found) == len(set(found)) == 34
    assert all(dy >= 0 and dy ** 2 + dx ** 2 < 25 for dy, dx in found)
    assert not {(-dy, -dx) for dy, dx in found} & set(found)
    assert offsets(2) == [(0, 1), (1, -1), (1, 0), (1, 1)]


def test_neighbours_by_place():
    """Radius 2 on a 3x4 map that holds its own numbers: sources have all neighbours inside."""
    maps = torch.arange(12).view(3, 4)
    source, neighbours = pixel_pairs(maps, 2)
    assert source.tolist() == [1, 2, 5, 6]
    assert [n.tolist() for n in neighbours] == [
        [2, 3, 6, 7], [4, 5, 8, 9], [5, 6, 9, 10], [6, 7, 10, 11]]


def test_affinity_by_hand():
    """exp of minus the mean distance: channels differ by 1 and 3, so exp(-2)."""
    features = torch.zeros(1, 2, 2, 3)
    features[0, :, 0, 2] = torch.tensor([1., -3.])
    found = pixel_affinities(features, 2)
    assert found.shape == (1, 4, 1)
    torch.testing.assert_close(found[0, :, 0], torch.tensor([-2., 0, 0, 0]).exp())


def test_maps_smaller_than_the_radius():
    """A thin image has no source, and no pair."""
    assert sources((3, 20)) == (slice(0, 0), slice(4, 16))
    assert pixel_affinities(torch.zeros(1, 2, 3, 3)).shape == (1, 34, 0)
