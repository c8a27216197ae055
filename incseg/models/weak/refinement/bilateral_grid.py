"""A fast Gaussian filter over place and colour."""

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.models.weak.refinement.segmented_sum import SegmentedSum

#: variance of the 5-tap blur in cells; linear spreading and reading add the missing third
BLUR_VARIANCE = 2 / 3
DIMENSIONS = 5
MARGIN = 2


class BilateralGrid:
    """A fast Gaussian filter over position and colour of one image: ``grid(values)`` filters.

    Each pixel is a point ``(y/sxy, x/sxy, blue/srgb, green/srgb, red/srgb)``.  Its value is
    spread over the 32 corners of the grid cell around it; the grid is blurred with 5 taps
    along each axis; the result is read by linear interpolation.  Together this is close to a
    Gaussian of standard deviation 1 in these coordinates.  Only corners of cells that hold a
    pixel are stored, so a grid has tens of thousands of points instead of millions.

    Args:
        image: ``(3, H, W)``, blue, green, red, 0 to 255.
        sxy: Standard deviation of the Gaussian in pixels.
        srgb: Standard deviation of the Gaussian in grey levels.

    Source: Paris and Durand, A Fast Approximation of the Bilateral Filter, IJCV
    2009; Chen et al., Real-time Edge-Aware Image Processing with the Bilateral
    Grid, SIGGRAPH 2007.
    """

    def __init__(self, image: Tensor, sxy: float, srgb: float) -> None:
        height, width = image.shape[1:]
        rows = torch.arange(height, device=image.device) / sxy
        columns = torch.arange(width, device=image.device) / sxy
        points = (
            torch.stack(
                [
                    rows[:, None].expand(height, width),
                    columns.expand(height, width),
                    *(image.float() / srgb),
                ]
            ).flatten(1)
            + MARGIN
        )
        lowest = points.floor()
        sizes = (lowest.amax(1).long() + 2 + MARGIN).tolist()
        strides = [1] * DIMENSIONS
        for axis in range(DIMENSIONS - 2, -1, -1):
            strides[axis] = strides[axis + 1] * sizes[axis + 1]
        # few cells contain pixels, so the corners of these cells are computed, not of every pixel
        step = torch.tensor(strides, device=image.device)
        cells, cell_of = (lowest.long() * step[:, None]).sum(0).unique(return_inverse=True)
        to_corners = torch.tensor(
            [
                sum(s * bit for s, bit in zip(strides, bits, strict=True))
                for bits in product((0, 1), repeat=DIMENSIONS)
            ],
            device=image.device,
        )
        numbers, corner_of = (cells[:, None] + to_corners).unique(return_inverse=True)
        #: int64 (pixels, 32): grid points around each pixel, and float (pixels, 32): their shares
        self.corners = corner_of[cell_of]
        self.shares = _corner_shares(points - lowest)
        self.num_points = len(numbers)
        # the inverse: for each grid point, the pixels that spread to it
        flat = self.corners.flatten()
        order = flat.argsort(stable=True)
        counts = flat.bincount(minlength=self.num_points)
        self.spread = SegmentedSum(
            order // self.corners.shape[1], self.shares.flatten()[order], counts
        )
        #: for each axis, grid points at -2, -1, 1, 2 along it; ``num_points`` where there is none
        self.neighbours = [
            torch.stack([_find(numbers, numbers + offset * stride) for offset in (-2, -1, 1, 2)])
            for stride in strides
        ]

    def __call__(self, values: Tensor) -> Tensor:
        """Filter values over place and colour of the image.

        Args:
            values: float ``(pixels, C)``, the pixels of the image row by row.

        Returns:
            ``(pixels, C)``, not normalised.
        """
        grid = F.pad(
            self.spread(values), (0, 0, 0, 1)
        )  # one point that stays 0, for missing neighbours
        near, far = _taps()
        for farther_left, left, right, farther_right in self.neighbours:
            blurred = grid[:-1] * (1 - 2 * near - 2 * far)
            blurred.add_(grid[left] + grid[right], alpha=near)
            blurred.add_(grid[farther_left] + grid[farther_right], alpha=far)
            grid[:-1] = blurred
        return F.embedding_bag(self.corners, grid, per_sample_weights=self.shares, mode='sum')


def _taps() -> tuple[float, float]:
    """Return the weights at distances 1 and 2 of a 5-tap Gaussian filter whose sum is 1."""
    taps = torch.exp(-(torch.arange(3.0) ** 2) / (2 * BLUR_VARIANCE))
    taps /= taps[0] + 2 * taps[1] + 2 * taps[2]
    return float(taps[1]), float(taps[2])


def _corner_shares(fraction: Tensor) -> Tensor:
    """Return how a pixel's value is shared among the 32 corners of its cell, linearly.

    Args:
        fraction: Place of each pixel in its cell, ``(5, pixels)`` of 0 to 1.

    Returns:
        ``(pixels, 32)``; each row sums to 1.
    """
    shares = torch.ones_like(fraction[0])[:, None]
    for axis in fraction:
        pair = torch.stack([1 - axis, axis], 1)
        shares = (shares[:, :, None] * pair[:, None]).flatten(1)
    return shares


def _find(numbers: Tensor, values: Tensor) -> Tensor:
    """Return the index of each value in ``numbers``, which is sorted.

    Where a value is missing, the result is ``len(numbers)``.
    """
    place = torch.searchsorted(numbers, values).clamp_(max=len(numbers) - 1)
    return torch.where(numbers[place] == values, place, len(numbers))
