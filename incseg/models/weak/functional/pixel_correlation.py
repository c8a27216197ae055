"""SEAM's pixel correlation."""

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from incseg.models.weak.functional.activation_maps import resize_corners
from incseg.utils.precision import at_least_float32
from incseg.utils.rules import checked, expected, or_none, whole

EPS = 1e-5


def pixel_correlation(cam: Tensor, features: Tensor, chunk: int | None = None) -> Tensor:
    """Return every pixel's scores as the mean over all pixels, weighted by similarity.

    With ``f_i`` the features of pixel *i*, divided by their length + 1e-5, and
    ``s_ij = relu(<f_i, f_j>)``::

        refined_c(j) = sum_i cam_c(i) s_ij / (sum_i s_ij + 1e-5)

    The pixel itself is included.  Computed in float32 or wider, also under autocast.

    Args:
        cam: ``(N, C, h, w)``, not normalised here; resized (bilinear, corners on
            corners) to the features' size where it differs.
        features: ``(N, D, h, w)``, the output of the last projection.
        chunk: Number of pixels *j* at a time.  Memory is then ``N h w chunk`` instead
            of ``N (h w)^2`` numbers; where gradients are recorded, chunks are
            computed again in the backward pass.  None: all pixels at once.

    Returns:
        ``(N, C, h, w)`` at the features' size.

    Raises:
        InvalidInputError: If the shapes do not fit, or ``chunk`` is below 1.

    Source: SEAM (Wang et al., CVPR 2020), the pixel correlation module.
    """
    if cam.ndim != 4 or features.ndim != 4 or len(cam) != len(features):
        raise expected(
            'shape of cam and features',
            (tuple(cam.shape), tuple(features.shape)),
            '(N, C, h, w) and (N, D, h, w)',
        )
    checked('chunk', chunk, or_none(whole(1)))
    dtype = torch.promote_types(torch.float32, torch.promote_types(cam.dtype, features.dtype))
    scores = resize_corners(cam, features.shape[-2:]).to(dtype).flatten(2)
    with torch.autocast(features.device.type, enabled=False):
        unit = at_least_float32(features).to(dtype).flatten(2)
        unit = unit / (torch.linalg.vector_norm(unit, dim=1, keepdim=True) + EPS)
        # a last row of ones: its weighted sum is the sum of the weights
        votes = torch.cat([scores, torch.ones_like(scores[:, :1])], 1)
        recompute = chunk is not None and torch.is_grad_enabled()
        sums = torch.cat(
            [
                checkpoint(weighted_sums, votes, unit, part, use_reentrant=False)
                if recompute
                else weighted_sums(votes, unit, part)
                for part in unit.split(chunk or unit.shape[2], 2)
            ],
            2,
        )
        refined = sums[:, :-1] / (sums[:, -1:] + EPS)
    return refined.unflatten(2, features.shape[-2:])


def weighted_sums(votes: Tensor, unit: Tensor, part: Tensor) -> Tensor:
    """Return, at some pixels, the sum over all pixels of their scores, weighted by similarity.

    The weight of two pixels is the cosine of their features, or 0 where it is negative.  The
    sums are not divided by the sum of the weights.

    Args:
        votes: Scores of C classes at all P pixels, ``(N, C, P)``.
        unit: Features of all pixels, ``(N, D, P)``, each pixel's D numbers of Euclidean norm 1.
        part: The same for the Q pixels where the sums are taken, ``(N, D, Q)``.

    Returns:
        ``(N, C, Q)``.
    """
    return votes @ (unit.transpose(1, 2) @ part).relu_()
