from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from incseg.constants import VOID
from incseg.errors import InvalidInputError
from incseg.models.weak.refinement.affinity_pairs import (
    RADIUS,
    STRIDE,
    pixel_affinities,
    pixel_pairs,
)
from incseg.models.weak.seam import FineTuned
from incseg.registry import MODELS


@MODELS.register_module()
class AffinityNet(FineTuned):
    """Features whose distance says whether two neighbouring pixels are of one class.

    The last three maps of a backbone, brought to stride 8, go through a 1x1
    convolution and ELU each; joined, through another.

    Args:
        backbone: a :class:`BaseBackbone` with at least three maps, by its config.
        channels: outputs of the three convolutions, shallow to deep; their sum
            is the number of features.
        data_preprocessor: makes batches of images, by its config.
        frozen: see :class:`FineTuned`.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, section 3.1; channels, start
    and what is frozen after ImageNet as in SEAM's code.
    """

    def __init__(
        self,
        backbone: dict,
        channels: Sequence[int] = (64, 128, 256),
        data_preprocessor: dict | None = None,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.data_preprocessor = MODELS.build(data_preprocessor or dict(type='SegDataPreProcessor'))
        self.backbone = MODELS.build(backbone)
        inputs = self.backbone.out_channels[-3:]
        if len(inputs) != 3 or len(channels) != 3:
            raise InvalidInputError(
                f'AffinityNet has {len(channels)} channels for {len(inputs)} maps of '
                f'{type(self.backbone).__name__}; allowed are three of each'
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
        """The convolutions on the backbone, see :class:`FineTuneOptim`."""
        return nn.ModuleList([*self.sides, self.joint])

    def init_weights(self) -> None:
        """Load the backbone's pretrained weights, if its config wants them."""
        self.backbone.init_weights()

    def forward(self, inputs: Tensor) -> Tensor:
        """Features ``(N, F, ceil(H / 8), ceil(W / 8))`` of normalised images ``(N, 3, H, W)``."""
        size = [-(-n // STRIDE) for n in inputs.shape[2:]]
        maps = []
        for side, tap in zip(self.sides, self.backbone(inputs)[-3:]):
            tap = F.elu(side(tap))
            if list(tap.shape[2:]) != size:
                tap = F.interpolate(tap, size, mode='bilinear', align_corners=False)
            maps.append(tap)
        return F.elu(self.joint(torch.cat(maps, 1)))

    def loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """:func:`affinity_loss` of images against labels ``(N, ceil(H / 8), ceil(W / 8))``.

        Computed in float32, under autocast, too.
        """
        return affinity_loss(pixel_affinities(self(inputs).float()), labels)


EPSILON = 1e-5


def affinity_loss(affinities: Tensor, labels: Tensor, radius: int = RADIUS) -> Tensor:
    """Cross-entropy of "same class" over pixel pairs, each kind of pair by itself.

    ``L_bg / 4 + L_fg / 4 + L_neg / 2``: pairs within the background, within one
    class, and of different classes; each is a mean over its pairs.

    Args:
        affinities: ``(N, P, s)`` of 0 to 1, see :func:`pixel_affinities`.
        labels: ``(N, h, w)``, 255 = ignored.
        radius: that of the affinities.

    Returns:
        A scalar.

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
    """Mean over what is chosen; 0 where nothing is."""
    return (values * chosen).sum() / (chosen.sum() + EPSILON)
