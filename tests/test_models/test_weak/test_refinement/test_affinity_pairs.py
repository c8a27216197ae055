import pytest
import torch

from incseg.models.weak.refinement.affinity_pairs import (
    fitting_radius,
    has_pairs,
    offsets,
    pixel_affinities,
    pixel_pairs,
    sources,
)


def test_34_offsets():
    """Within a radius of 5, each pair once: an offset and its opposite would count it twice."""
    found = offsets()
    assert len(found) == len(set(found)) == 34
    assert all(dy >= 0 and dy**2 + dx**2 < 25 for dy, dx in found)
    assert not {(-dy, -dx) for dy, dx in found} & set(found)
    assert offsets(2) == [(0, 1), (1, -1), (1, 0), (1, 1)]


def test_neighbours_by_place():
    """Radius 2 on a 3x4 map that holds its own numbers: sources have all neighbours inside."""
    maps = torch.arange(12).view(3, 4)
    source, neighbours = pixel_pairs(maps, 2)
    assert source.tolist() == [1, 2, 5, 6]
    assert [n.tolist() for n in neighbours] == [
        [2, 3, 6, 7],
        [4, 5, 8, 9],
        [5, 6, 9, 10],
        [6, 7, 10, 11],
    ]


def test_affinity_by_hand():
    """exp of minus the mean distance: channels differ by 1 and 3, so exp(-2)."""
    features = torch.zeros(1, 2, 2, 3)
    features[0, :, 0, 2] = torch.tensor([1.0, -3.0])
    found = pixel_affinities(features, 2)
    assert found.shape == (1, 4, 1)
    torch.testing.assert_close(found[0, :, 0], torch.tensor([-2.0, 0, 0, 0]).exp())


@pytest.mark.parametrize(
    'size, radius',
    [
        ((56, 56), 5),
        ((11, 40), 5),
        ((10, 40), 4),
        ((40, 9), 4),
        ((8, 8), 3),
        ((6, 7), 2),
        ((5, 5), 2),
        ((4, 4), 2),
        ((2, 3), 2),
    ],
)
def test_radius_shrinks_on_small_maps(size, radius):
    """(n - 1) // 2 below an edge of 11, never below 2.  If it stayed 5, a map 8 wide had no source
    and the walk on an image of 64 x 64 would do nothing."""
    assert fitting_radius(size) == radius and has_pairs(size)
    source, neighbours = pixel_pairs(torch.zeros(size))
    found = list(neighbours)
    assert len(found) == len(offsets(radius)) and all(n.shape == source.shape for n in found)
    assert source.numel() == (size[0] - radius + 1) * (size[1] - 2 * radius + 2) > 0


def test_pairs_of_a_map_of_64_pixels():
    """On 8 x 8, radius 3: against all pairs of pixels, by their distance and place alone."""
    numbers = torch.arange(64).view(8, 8)
    source, neighbours = pixel_pairs(numbers)
    got = {(i, j) for n in neighbours for i, j in zip(source.tolist(), n.tolist())}
    expected = {
        (y * 8 + x, v * 8 + u)
        for y in range(6)
        for x in range(2, 6)
        for v in range(8)
        for u in range(8)
        if 0 < (y - v) ** 2 + (x - u) ** 2 < 9 and (v > y or v == y and u > x)
    }
    assert got == expected and len(got) == 12 * 24


def test_maps_without_pairs():
    """One row, or two columns: no source, and no pair."""
    for size in ((1, 20), (20, 2), (2, 2)):
        assert not has_pairs(size)
        assert pixel_affinities(torch.zeros(1, 2, *size)).shape == (1, 4, 0)
    assert sources((3, 20)) == (slice(0, 0), slice(4, 16))
