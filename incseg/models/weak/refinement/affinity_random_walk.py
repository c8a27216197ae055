"""The random walk that spreads scores along AffinityNet's affinities."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models.weak.refinement.affinity_net import AffinityNet
from incseg.models.weak.refinement.affinity_pairs import (
    RADIUS,
    STRIDE,
    fitting_radius,
    offsets,
    pixel_affinities,
    sources,
)
from incseg.registry import MODELS
from incseg.utils.precision import allowed_tf32
from incseg.utils.rules import POSITIVE, Rule, check_values, expected, or_none, whole
from incseg.utils.tensor_files import check_kind, read_checkpoint

RULES: dict[str, Rule] = dict(
    net=(
        lambda value: isinstance(value, (AffinityNet, Mapping)),
        "an AffinityNet, or dict(type='AffinityNet', backbone=…)",
    ),
    checkpoint=or_none((lambda value: isinstance(value, (str, PathLike)), "a file's path")),
    exponent=POSITIVE,
    doublings=whole(0),
)


@MODELS.register_module()
class AffinityRandomWalk:
    """A random walk of scores over the image, along the affinities of AffinityNet.

    Scores are averaged over blocks of 8 x 8, multiplied by the transition matrix
    to the power ``2^doublings``, and enlarged again.  The customary rule for the background is
    ``dict(mode='pow', value=6)``.  An image of up to 8 rows or 16 columns has no
    pixel pairs: its scores are only averaged.

    Args:
        net: An :class:`AffinityNet`, or its config.
        checkpoint: File of its weights, written by ``incseg affinity``; None
            for the weights that ``net`` has.
        exponent: Exponent of the affinities, above 0.
        doublings: Number of times that the transition matrix is squared.

    Raises:
        MissingFileError: If there is no such checkpoint.
        InvalidInputError: If an argument is out of range, or the checkpoint does
            not fit.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, section 3.3, with SEAM's
    exponents.
    """

    def __init__(
        self,
        net: AffinityNet | Mapping[str, Any],
        checkpoint: str | None = None,
        exponent: float = 8.0,
        doublings: int = 6,
    ) -> None:
        check_values(
            'AffinityRandomWalk',
            dict(net=net, checkpoint=checkpoint, exponent=exponent, doublings=doublings),
            RULES,
        )
        built = net if isinstance(net, AffinityNet) else MODELS.build(dict(net))
        if not isinstance(built, AffinityNet):
            raise expected('AffinityRandomWalk.net', type(built).__name__, RULES['net'][1])
        if checkpoint is not None:
            _load(built, checkpoint)
        self.net: AffinityNet = built.eval().requires_grad_(False)
        self.exponent = exponent
        self.doublings = doublings

    @torch.no_grad()
    def refine(self, image: Tensor, scores: Tensor) -> Tensor:
        """Return the scores after the walk, ``(1 + k, H, W)``.

        Args:
            image: uint8 ``(3, H, W)``, BGR.
            scores: float32 ``(1 + k, H, W)`` of 0 to 1, the background first.
        """
        self.net.to(scores.device)
        height, width = scores.shape[1:]
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        inputs = self.net.data_preprocessor(dict(inputs=image[None]))['inputs']
        features = self.net(F.pad(inputs, padding))
        transition = transition_matrix(
            pixel_affinities(features)[0], tuple(features.shape[2:]), self.exponent
        )
        small = F.avg_pool2d(F.pad(scores[None], padding), STRIDE)[0]
        walked = random_walk(small, transition, self.doublings)
        large = F.interpolate(
            walked[None], scale_factor=STRIDE, mode='bilinear', align_corners=False
        )[0]
        return large[:, :height, :width]


def _load(net: AffinityNet, path: str) -> None:
    """Load the weights of a network from the entry ``state_dict`` of a file.

    Nothing but tensors and plain data is unpickled.

    Raises:
        MissingFileError: If there is no such file.
        InvalidInputError: If it is damaged, or of another kind or network.
    """
    if not Path(path).is_file():
        raise MissingFileError(f'no checkpoint of an AffinityNet at {path}')
    content = read_checkpoint(path)
    check_kind(content, path, ('affinity',))
    try:
        net.load_state_dict(content['state_dict'])
    except (RuntimeError, KeyError, TypeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = ' '.join(line.strip() for line in lines[:2])
        raise InvalidInputError(
            f'checkpoint {path} is damaged or does not fit the AffinityNet of the config ({reason})'
        ) from error


def transition_matrix(
    affinities: Tensor, size: tuple[int, int], exponent: float = 8.0, radius: int = RADIUS
) -> Tensor:
    """Return the matrix of one step: column ``j`` holds the weights of pixel ``j``'s new score.

    The affinity of a pixel with itself is 1, that of pixels that are not compared 0; the
    matrix is symmetric.  Each entry is raised to ``exponent``, which suppresses low
    affinities, and each column is divided by its sum.

    Args:
        affinities: ``(P, s)``, see :func:`pixel_affinities`.
        size: ``(h, w)`` of the map.
        exponent: The paper's beta.
        radius: The radius of the affinities.

    Returns:
        ``(h w, h w)``, columns sum to 1.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, equation 7.
    """
    height, width = size
    radius = fitting_radius(size, radius)
    places = torch.arange(height * width, device=affinities.device).view(height, width)
    rows, columns = sources(size, radius)
    source = places[rows, columns].flatten()
    matrix = torch.eye(height * width, dtype=affinities.dtype, device=affinities.device)
    for (dy, dx), affinity in zip(offsets(radius), affinities**exponent, strict=True):
        neighbour = source + dy * width + dx
        matrix[source, neighbour] = affinity
        matrix[neighbour, source] = affinity
    return matrix / matrix.sum(0, keepdim=True)


def random_walk(scores: Tensor, transition: Tensor, doublings: int = 6) -> Tensor:
    """Return ``scores T^(2^doublings)``, from repeated squares of ``T``.

    On a GPU the products are those of float32, without TF32: each squaring doubles an error.

    Args:
        scores: ``(C, h, w)``.
        transition: The matrix ``T``, ``(h w, h w)``.
        doublings: Number of squarings; 6 for 64 steps.

    Returns:
        ``(C, h, w)``.
    """
    with allowed_tf32(False), torch.autocast(scores.device.type, enabled=False):
        for _ in range(doublings):
            transition = transition @ transition
        return (scores.flatten(1) @ transition).view_as(scores)
