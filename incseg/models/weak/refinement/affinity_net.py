"""AffinityNet: the network and its loss."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from incseg.constants import VOID
from incseg.models.data_preprocessor import build_preprocessor
from incseg.models.weak.refinement.affinity_pairs import (
    RADIUS,
    STRIDE,
    pixel_affinities,
    pixel_pairs,
)
from incseg.models.weak.seam import FineTuned
from incseg.registry import MODELS
from incseg.utils.rules import expected


@MODELS.register_module()
class AffinityNet(FineTuned):
    """A network of pixel features: two close pixels of one class have similar features.

    Each of the last three maps of a backbone, resized to stride 8, goes through a 1x1
    convolution and ELU; the concatenation goes through another 1x1 convolution and ELU.
    :func:`affinity_loss` trains it.

    Args:
        backbone: Config of a :class:`BaseBackbone` with at least three maps.
        channels: Outputs of the three convolutions, shallow to deep; their sum
            is the number of features.
        data_preprocessor: Config of the preprocessor.
        frozen: Whether the backbone's early layers and normalisations keep their weights, see
            :class:`FineTuned`.

    Raises:
        InvalidInputError: If the backbone has fewer than three maps, or ``channels`` other
            than three numbers.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, section 3.1; channels, initial weights
    and frozen layers as in SEAM's code.
    """

    def __init__(
        self,
        backbone: dict,
        channels: Sequence[int] = (64, 128, 256),
        data_preprocessor: dict | None = None,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.data_preprocessor = build_preprocessor(data_preprocessor, backbone)
        self.backbone = MODELS.build(backbone)
        inputs = self.backbone.out_channels[-3:]
        if len(inputs) != 3 or len(channels) != 3:
            raise expected(
                'number of channels and maps of AffinityNet',
                (len(channels), len(inputs)),
                'three of each',
            )
        sides = [nn.Conv2d(i, o, 1, bias=False) for i, o in zip(inputs, channels)]
        self.sides = nn.ModuleList(sides)
        self.joint = nn.Conv2d(sum(channels), sum(channels), 1, bias=False)
        for side in sides:
            nn.init.kaiming_normal_(side.weight)
        nn.init.xavier_uniform_(self.joint.weight, gain=4)
        self.freeze(frozen)

    @property
    def head(self) -> nn.ModuleList:
        """The four convolutions on the backbone's maps, which train with a higher learning rate."""
        return nn.ModuleList([*self.sides, self.joint])

    def init_weights(self) -> None:
        """Load the backbone's pretrained weights, if its config asks for them."""
        self.backbone.init_weights()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the features of images at stride 8.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.

        Returns:
            ``(N, F, ceil(H / 8), ceil(W / 8))``; F is the sum of ``channels``.
        """
        size = [-(-n // STRIDE) for n in inputs.shape[2:]]
        maps = []
        for side, stage in zip(self.sides, self.backbone(inputs)[-3:]):
            projected = F.elu(side(stage))
            if list(projected.shape[2:]) != size:
                projected = F.interpolate(projected, size, mode='bilinear', align_corners=False)
            maps.append(projected)
        return F.elu(self.joint(torch.cat(maps, 1)))

    def loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return :func:`affinity_loss` of a batch, a scalar; float32 also under autocast.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.
            labels: ``(N, ceil(H / 8), ceil(W / 8))``, see :func:`affinity_labels`.
        """
        return affinity_loss(pixel_affinities(self(inputs).float()), labels)


EPSILON = 1e-5


def affinity_loss(affinities: Tensor, labels: Tensor, radius: int = RADIUS) -> Tensor:
    """Return the cross-entropy of "same class" over pixel pairs, balanced by kinds of pairs.

    The loss is ``L_bg / 4 + L_fg / 4 + L_neg / 2`` for pairs within the background,
    within one class, and of different classes; each part is a mean over its pairs.

    Args:
        affinities: ``(N, P, s)`` of 0 to 1, see :func:`pixel_affinities`.
        labels: ``(N, h, w)``, 255 = ignored.
        radius: The radius of the affinities.

    Returns:
        Scalar.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, equations 4 to 6.
    """
    source, neighbours = pixel_pairs(labels, radius)
    source, neighbour = source[:, None], torch.stack(list(neighbours), 1)
    known = (source != VOID) & (neighbour != VOID)
    same = known & (source == neighbour)
    background = same & (source == 0)
    alike, unlike = -(affinities + EPSILON).log(), -(1 + EPSILON - affinities).log()
    return (
        _mean(alike, background) / 4
        + _mean(alike, same & ~background) / 4
        + _mean(unlike, known & ~same) / 2
    )


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Return the mean of ``values`` where ``chosen`` (bool, same shape) is True; 0 if nowhere."""
    return (values * chosen).sum() / (chosen.sum() + EPSILON)
