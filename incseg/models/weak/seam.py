"""SEAM's network, and the frozen backbone that AffinityNet shares with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.errors import InvalidInputError
from incseg.models.backbones.base import CAM_NAMES, complete_cam_names
from incseg.models.data_preprocessor import build_preprocessor
from incseg.models.weak.functional import (
    equivariant_losses,
    resize_corners,
)
from incseg.registry import MODELS
from incseg.structures import SegDataSample
from incseg.utils.rules import Rule, any_of, check_values, expected, is_number, or_none, whole

RULES: dict[str, Rule] = dict(
    scale=(lambda value: is_number(value) and 0 < value <= 1, 'a number above 0, up to 1'),
    ref_num_classes=or_none(whole(2)),
)

Network = TypeVar('Network', bound='FineTuned')


class FineTuned(nn.Module):
    """A network on a ``backbone`` whose early layers and norms may be frozen in fine-tuning.

    Attributes:
        frozen: Whether the backbone's early layers keep their weights, and all
            its ``norm_layers`` their weights and statistics.
    """

    backbone: Any
    frozen: bool

    def freeze(self, frozen: bool) -> None:
        """Freeze the backbone's layers or not; call it once, after the backbone is built.

        Args:
            frozen: Whether to freeze.  If it is True, the backbone needs ``early_layers`` and
                ``norm_layers``, as :class:`BaseBackbone` has them.
        """
        self.frozen = frozen
        if frozen:
            for module in (*self.backbone.early_layers(), *self.backbone.norm_layers()):
                module.requires_grad_(False)

    def train(self: Network, mode: bool = True) -> Network:
        """Set the training mode; frozen normalisations stay in evaluation mode."""
        super().train(mode)
        if self.frozen:
            for module in self.backbone.norm_layers():
                module.eval()
        return self


@MODELS.register_module()
class SEAM(FineTuned, BaseModel):
    """A network that locates classes although it knows only which images show them.

    An image and its smaller copy go through the same weights, and their class
    activation maps have to agree; see :func:`equivariant_losses`.  The running
    statistics of a BatchNorm that is not frozen come from the images only: the copies'
    maps of a few pixels, mostly padding, would spoil them for evaluation.

    Args:
        backbone: Config of a backbone with ``cam_stages`` and ``cam_stage_channels``, see
            :class:`BaseBackbone`.  A backbone that loads weights has ``init_weights``, one
            that is frozen ``early_layers`` and ``norm_layers``.
        num_classes: C, the number of foreground classes.
        head: Config of the head without its ``in_channels`` and ``num_classes``.
        scale: Scale of the smaller copy, above 0, up to 1.
        ref_num_classes: Number of classes for which the losses are balanced, see
            :func:`equivariant_losses`; at least 2, or None.
        frozen: Whether the backbone's early layers and normalisations keep their weights, see
            :class:`FineTuned`.
        data_preprocessor: Config of the preprocessor, see :func:`build_preprocessor`.

    Raises:
        InvalidInputError: If an argument is out of range, or the backbone lacks
            the three maps.

    Source: Wang et al., "SEAM", CVPR 2020.
    """

    def __init__(
        self,
        backbone: dict,
        num_classes: int,
        head: dict | None = None,
        scale: float = 0.3,
        ref_num_classes: int | None = 21,
        frozen: bool = False,
        data_preprocessor: dict | None = None,
    ):
        check_values('seam.model', dict(scale=scale, ref_num_classes=ref_num_classes), RULES)
        super().__init__(build_preprocessor(data_preprocessor, backbone))
        self.backbone = complete_cam_names(MODELS.build(backbone))
        if not all(hasattr(self.backbone, name) for name in CAM_NAMES.values()):
            raise InvalidInputError(
                f'SEAM reads three maps of its backbone, which {backbone["type"]} does not offer: '
                'it has no cam_stages() and cam_stage_channels'
            )
        if frozen and not hasattr(self.backbone, 'early_layers'):
            raise InvalidInputError(
                f'SEAM freezes early layers and norms after pretraining, which {backbone["type"]} '
                'does not name: it has no early_layers() and norm_layers(); or pretrained=False'
            )
        self.head = MODELS.build(
            dict(
                head or dict(type='SEAMHead'),
                in_channels=self.backbone.cam_stage_channels,
                num_classes=num_classes,
            )
        )
        self.num_classes, self.scale = num_classes, scale
        self.ref_num_classes = ref_num_classes
        self.freeze(frozen)

    def init_weights(self) -> None:
        """Load pretrained weights of the backbone if its config asks for them."""
        if hasattr(self.backbone, 'init_weights'):
            self.backbone.init_weights()

    def forward(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Run one of mmengine's modes: :meth:`loss`, or :meth:`cams` for both others.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.
            data_samples: For ``'loss'``, samples with ``gt_image_labels`` ``(C,)``.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Raises:
            ValueError: If the mode is another one.
        """
        if mode == 'loss':
            assert data_samples is not None
            return self.loss(
                inputs, torch.stack([sample.gt_image_labels for sample in data_samples])
            )
        if mode in ('predict', 'tensor'):
            return self.cams(inputs)
        raise expected('mode', mode, any_of(('loss', 'predict', 'tensor')))

    def loss(self, inputs: Tensor, image_labels: Tensor) -> dict[str, Tensor]:
        """Return SEAM's losses of a batch, the scalars of :func:`equivariant_losses` by name.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``; the smaller copies are made here.
            image_labels: ``(N, C)``, 0 or 1.

        Raises:
            InvalidInputError: If the smaller copy would have no pixel.
        """
        size = (inputs.shape[-2], inputs.shape[-1])
        small = (int(size[0] * self.scale), int(size[1] * self.scale))
        if min(small) < 1:
            raise InvalidInputError(
                f'images of {size[0]} x {size[1]} pixels have no copy scaled by {self.scale}'
            )
        cam, refined = self.maps(inputs)
        with running_statistics_kept(self.backbone):
            cam_small, refined_small = self.maps(resize_corners(inputs, small))
        return equivariant_losses(
            resize_corners(cam, size),
            resize_corners(refined, size),
            resize_corners(cam_small, small),
            resize_corners(refined_small, small),
            image_labels,
            self.scale,
            self.ref_num_classes,
        )

    @torch.no_grad()
    def cams(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of :meth:`maps` without gradient; the training mode is not changed.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.

        Returns:
            Raw class activation maps and refined scores, each ``(N, 1 + C, h, w)`` at a
            resolution of its own, channel 0 the background (zero in the first).
            Pseudo-labels are made from the refined scores.
        """
        return self.maps(inputs)

    def maps(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return class activation maps and their refinement, with gradients.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.

        Returns:
            As :meth:`cams`: two maps ``(N, 1 + C, h, w)``, each at its own resolution.
        """
        # with channels last, torch 2.14's backward pass through narrow networks corrupts memory
        inputs = inputs.contiguous()
        return self.head(self.backbone.cam_stages(inputs), inputs)


@contextmanager
def running_statistics_kept(module: nn.Module) -> Iterator[None]:
    """Keep the running statistics of all BatchNorms in a module as they are, inside the context.

    BatchNorms in training mode still normalise by the statistics of the batch.
    """
    momenta = [(part, part.momentum) for part in batch_norms(module)]
    try:
        for part, _ in momenta:
            part.momentum = 0.0
        yield
    finally:
        for part, momentum in momenta:
            part.momentum = momentum


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    """Return every BatchNorm of a network, ordinary or synchronised."""
    return [part for part in module.modules() if isinstance(part, _BatchNorm)]
