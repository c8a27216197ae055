"""The fully connected conditional random field."""

from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from incseg.errors import InvalidInputError
from incseg.models.weak.refinement.bilateral_grid import BilateralGrid
from incseg.registry import MODELS
from incseg.utils.rules import NOT_NEGATIVE, POSITIVE, check_values, one_of, whole

RULES = dict(
    num_iters=whole(0),
    gaussian_sxy=POSITIVE,
    gaussian_weight=NOT_NEGATIVE,
    bilateral_sxy=POSITIVE,
    bilateral_srgb=POSITIVE,
    bilateral_weight=NOT_NEGATIVE,
    backend=one_of('torch', 'pydensecrf', 'auto'),
)
CLIP = 1e-5


@MODELS.register_module()
class DenseCRF:
    """Fully connected CRF with Gaussian edges, solved by mean field.

    ``Q <- softmax(-U + w_g K_g Q + w_b K_b Q)``, with the unary energy
    ``U = -log(clip(scores, 1e-5, 1))``, a Gaussian over place ``K_g``, one over
    place and colour ``K_b``, and Potts compatibility; each kernel is divided by
    the square roots of its row and column sums.

    Args:
        num_iters: Number of mean-field updates.
        gaussian_sxy: Deviation of ``K_g`` in pixels.
        gaussian_weight: ``w_g``.
        bilateral_sxy: Deviation of ``K_b`` in pixels.
        bilateral_srgb: Deviation of ``K_b`` in grey levels.
        bilateral_weight: ``w_b``.
        backend: ``'torch'`` computes on the scores' device, ``K_b`` by a
            :class:`BilateralGrid`; ``'pydensecrf'`` uses the C++ code of the package
            pydensecrf2 on the CPU; ``'auto'`` uses that package if it is installed and
            the scores are on the CPU, else torch.

    Raises:
        InvalidInputError: If an argument is out of range, or the backend is
            pydensecrf and it is not installed.

    Source: Krähenbühl and Koltun, NIPS 2011; the defaults are SEAM's.
    """

    def __init__(
        self,
        num_iters: int = 10,
        gaussian_sxy: float = 3.0,
        gaussian_weight: float = 3.0,
        bilateral_sxy: float = 80.0,
        bilateral_srgb: float = 13.0,
        bilateral_weight: float = 10.0,
        backend: str = 'torch',
    ) -> None:
        check_values(
            'DenseCRF',
            dict(
                num_iters=num_iters,
                gaussian_sxy=gaussian_sxy,
                gaussian_weight=gaussian_weight,
                bilateral_sxy=bilateral_sxy,
                bilateral_srgb=bilateral_srgb,
                bilateral_weight=bilateral_weight,
                backend=backend,
            ),
            RULES,
        )
        installed = find_spec('pydensecrf') is not None
        if backend == 'pydensecrf' and not installed:
            raise InvalidInputError(
                "DenseCRF backend 'pydensecrf' is not installed: python -m pip install "
                "'incseg[crf]' (needs a C++ compiler), or use backend 'torch'"
            )
        self.num_iters = num_iters
        self.gaussian_sxy, self.gaussian_weight = gaussian_sxy, gaussian_weight
        self.bilateral_sxy, self.bilateral_srgb = bilateral_sxy, bilateral_srgb
        self.bilateral_weight = bilateral_weight
        self.backend = 'torch' if backend == 'auto' and not installed else backend

    def refine(self, image: Tensor, scores: Tensor) -> Tensor:
        """Return the class probabilities after the CRF, float32 ``(1 + k, H, W)``.

        Args:
            image: uint8 ``(3, H, W)``, BGR.
            scores: float32 ``(1 + k, H, W)`` of 0 to 1, the background first; not changed.
        """
        if self.backend == 'pydensecrf' or (self.backend == 'auto' and scores.device.type == 'cpu'):
            return self._refine_by_package(image, scores)
        return self._refine_by_torch(image, scores)

    def _refine_by_torch(self, image: Tensor, scores: Tensor) -> Tensor:
        shape, size = scores.shape, scores.shape[1:]
        log_scores = scores.float().clamp(CLIP, 1).log().flatten(1).T  # -U, (pixels, classes)
        grid = BilateralGrid(image, self.bilateral_sxy, self.bilateral_srgb)
        rows, columns = (gaussian(n, self.gaussian_sxy, scores.device) for n in size)
        ones = torch.ones_like(log_scores[:, :1])
        over_colour = grid(ones).add_(1e-20).rsqrt_()
        over_place = blur(ones, rows, columns).add_(1e-20).rsqrt_()
        q = log_scores.softmax(1)
        for _ in range(self.num_iters):
            near = blur(q * over_place, rows, columns).mul_(over_place)
            alike = grid(q * over_colour).mul_(over_colour)
            q = (log_scores + self.gaussian_weight * near + self.bilateral_weight * alike).softmax(
                1
            )
        return q.T.reshape(shape)

    def _refine_by_package(self, image: Tensor, scores: Tensor) -> Tensor:
        from pydensecrf.densecrf import DenseCRF2D

        classes, height, width = scores.shape
        crf = DenseCRF2D(width, height, classes)
        energy = -scores.float().clamp(CLIP, 1).log().reshape(classes, -1)
        crf.setUnaryEnergy(np.ascontiguousarray(energy.cpu().numpy()))
        crf.addPairwiseGaussian(sxy=self.gaussian_sxy, compat=self.gaussian_weight)
        crf.addPairwiseBilateral(
            sxy=self.bilateral_sxy,
            srgb=self.bilateral_srgb,
            compat=self.bilateral_weight,
            rgbim=np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy()),
        )
        q = torch.from_numpy(np.array(crf.inference(self.num_iters)))
        return q.reshape(scores.shape).to(scores.device)


def gaussian(length: int, deviation: float, device: torch.device) -> Tensor:
    """Return the Gaussian kernel between all places of one axis.

    Args:
        length: Number of pixels along the axis.
        deviation: Deviation in pixels.
        device: Device of the result.

    Returns:
        ``(length, length)``: ``exp(-(i - j)^2 / (2 deviation^2))``.
    """
    place = torch.arange(length, device=device) / deviation
    return torch.exp(-((place[:, None] - place) ** 2) / 2)


def blur(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Blur every channel of an image, first along its columns, then along its rows.

    Args:
        values: ``(pixels, C)``, the pixels of an image row by row.
        rows: ``(H, H)``: the weight of every row of the input in every row of the output.
        columns: ``(W, W)``: likewise of columns.

    Returns:
        ``(pixels, C)``, in the same order.
    """
    maps = values.T.reshape(-1, len(rows), len(columns))
    return (rows @ maps @ columns).flatten(1).T
