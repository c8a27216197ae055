from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from incseg.errors import InvalidInputError
from incseg.models.weak.fine_tuned import FineTuned
from incseg.models.weak.refinement.affinity_labels import STRIDE
from incseg.models.weak.refinement.affinity_loss import affinity_loss
from incseg.models.weak.refinement.affinity_pairs import pixel_affinities
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

    def __init__(self, backbone: dict, channels: Sequence[int] = (64, 128, 256),
                 data_preprocessor: dict | None = None, frozen: bool = False) -> None:
        super().__init__()
        self.data_preprocessor = MODELS.build(
            data_preprocessor or dict(type='SegDataPreProcessor'))
        self.backbone = MODELS.build(backbone)
        inputs = self.backbone.out_channels[-3:]
        if len(inputs) != 3 or len(channels) != 3:
            raise InvalidInputError(
                f'AffinityNet has {len(channels)} channels for {len(inputs)} maps of '
                f'{type(self.backbone).__name__}; allowed are three of each')
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
