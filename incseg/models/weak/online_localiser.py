"""WILSON's labeller."""

from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.errors import InvalidInputError
from incseg.models.labellers import BaseLabeller, Localisation
from incseg.models.weak.functional import (
    balanced_cross_entropy,
    confident_pixels,
    image_classification_loss,
    image_weights,
    present_masks,
    resize_corners,
    segmentation_targets,
    smoothed_masks,
)
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs
from incseg.structures.network_outputs import upsample
from incseg.utils.precision import at_least_float32
from incseg.utils.rules import SHARE, Rule, check_values, expected, whole

RULES: dict[str, Rule] = dict(
    channels=whole(1),
    index=(lambda value: isinstance(value, int), 'a whole number'),
    start_epoch=whole(0),
    alpha=SHARE,
    foreground=SHARE,
    background=SHARE,
    lowest=SHARE,
)


@MODELS.register_module()
class OnlineLocaliser(nn.Module, BaseLabeller):
    """WILSON's labeller: learns to locate the new classes from image-level labels.

    Three convolutions on one of the student's maps predict where each class is.
    They learn from the image-level labels (``cls``), from the teacher's prediction of
    the old classes (``loc``) and, from ``start_epoch`` on, from their own
    confident pixels (``self``).  Their losses reach the student's backbone.
    From ``start_epoch`` on they also make soft labels for the student.

    The convolutions are part of the training only: of the optimiser and of the file that
    a step is resumed from, not of the saved network.

    Args:
        channels: Channels of the first two convolutions.
        index: Which of the backbone's maps is read; by default the last one, which the
            principal head reads.
        source: Name of the head whose logits are read of the teacher.
        start_epoch: First epoch, counted from 0, of the student's segmentation losses
            and of ``self``.
        alpha: Share of one-hot masks in the soft labels, 0 to 1, see :func:`smoothed_masks`.
        refine: Config of a refinement of the masks for ``self``, with a method
            ``refine_batch(images, scores)``; None for no refinement.
        foreground, background, lowest: Limits of the scores that count as sure, 0 to 1, see
            :func:`confident_pixels`.
        norm_cfg: Normalisation of the convolutions.

    Raises:
        InvalidInputError: If an argument is out of range.

    Source: Cermelli et al., "Incremental Learning in Semantic Segmentation from
    Image Labels", CVPR 2022.
    """

    takes_image_labels = True
    source: str
    reads = frozenset()

    def __init__(
        self,
        channels: int = 256,
        index: int = -1,
        source: str = 'decode_head',
        start_epoch: int = 5,
        alpha: float = 0.5,
        refine: dict | None = None,
        foreground: float = 0.6,
        background: float = 0.7,
        lowest: float = 0.2,
        norm_cfg: dict | None = None,
    ):
        super().__init__()
        check_values(
            'OnlineLocaliser',
            dict(
                channels=channels,
                index=index,
                start_epoch=start_epoch,
                alpha=alpha,
                foreground=foreground,
                background=background,
                lowest=lowest,
            ),
            RULES,
        )
        self.channels, self.index, self.source = channels, index, source
        self.start_epoch, self.alpha = start_epoch, alpha
        self.foreground, self.background, self.lowest = foreground, background, lowest
        self.norm_cfg = norm_cfg or dict(type='incseg.BN')
        self.refine = MODELS.build(refine) if refine is not None else None
        if refine is not None and not hasattr(self.refine, 'refine_batch'):
            raise expected(
                'OnlineLocaliser refine.type',
                refine.get('type'),
                'a part with a method refine_batch(images, scores), as PAMR',
            )
        self.epoch = 0

    def build_for(self, network: Any) -> None:
        """Build the convolutions for a network's map and classes.

        Raises:
            InvalidInputError: If the backbone has no map of that index.
        """
        offered = network.backbone.out_channels
        if not -len(offered) <= self.index < len(offered):
            raise expected(
                'OnlineLocaliser index', self.index, f'{-len(offered)} to {len(offered) - 1}'
            )
        options = dict(
            padding=1, norm_cfg=self.norm_cfg, act_cfg=dict(type='LeakyReLU', negative_slope=0.01)
        )
        self.layers = nn.Sequential(
            ConvModule(offered[self.index], self.channels, 3, **options),
            ConvModule(self.channels, self.channels, 3, **options),
            nn.Conv2d(self.channels, network.num_classes, 1),
        )

    def check(self, network: Any) -> None:
        """Refuse a network without the head that is read, or whose heads take no soft labels.

        Raises:
            InvalidInputError: If a head is missing, has no background output, or has a
                loss that takes no soft targets.
        """
        super().check(network)
        for name, head in network.heads.items():
            if not head.has_background:
                raise InvalidInputError(
                    f'OnlineLocaliser makes soft labels with a background, which {name} has no '
                    'output for'
                )
            if not getattr(head.loss_decode, 'soft_targets', False):
                raise expected(
                    f'loss_decode of {name}',
                    type(head.loss_decode).__name__,
                    'a loss with soft_targets = True, as BinaryCrossEntropyLoss: OnlineLocaliser '
                    'makes soft labels',
                )

    def set_epoch(self, epoch: int) -> None:
        """Tell the labeller the epoch; called before every iteration.

        Args:
            epoch: The epoch of the incremental step, from 0.
        """
        self.epoch = epoch

    def forward(
        self,
        images: Tensor,
        image_labels: Tensor,
        student: NetworkOutputs,
        teacher: NetworkOutputs,
    ) -> Localisation:
        """Return the losses of a batch and, from ``start_epoch`` on, soft labels.

        Args:
            images: The student's input, ``(N, 3, H, W)``.
            image_labels: ``(N, C_new)``, 1 where the image shows the new class.
            student: The student's outputs; gradients flow into the map that is read.
            teacher: The teacher's outputs on the same images.
        """
        features = student.features[self.index]
        has_started = self.epoch >= self.start_epoch
        masks = self.masks(features) if has_started else None  # before the statistics change
        logits = at_least_float32(self.layers(features))
        old = upsample(teacher.logits[self.source], (logits.shape[-2], logits.shape[-1]))
        losses = dict(
            cls=image_classification_loss(logits, image_labels),
            loc=F.binary_cross_entropy_with_logits(logits[:, : old.shape[1]], old.sigmoid()),
        )
        if masks is None:
            return Localisation(losses)
        chosen = confident_pixels(
            present_masks(self.refined(images, masks), image_labels),
            self.foreground,
            self.background,
            self.lowest,
        )
        losses['self'] = balanced_cross_entropy(logits, chosen, image_labels)
        smoothed = smoothed_masks(present_masks(masks, image_labels), self.alpha)
        return Localisation(
            losses, segmentation_targets(old, smoothed), image_weights(smoothed, image_labels)
        )

    def masks(self, features: Tensor) -> Tensor:
        """Return the class probabilities of the convolutions in evaluation mode, without gradient.

        Args:
            features: ``(N, C_i, h, w)``, the student's map ``index``.

        Returns:
            ``(N, C, h, w)`` of 0 to 1, float32 or wider.
        """
        training = self.layers.training
        self.layers.eval()
        # not under no_grad(): autocast would remember weights without their gradient
        masks = at_least_float32(self.layers(features.detach())).detach().softmax(1)
        self.layers.train(training)
        return masks

    @torch.no_grad()
    def refined(self, images: Tensor, masks: Tensor) -> Tensor:
        """Return the masks refined by the images' colours, at the masks' size.

        Args:
            images: ``(N, 3, H, W)``.
            masks: ``(N, C, h, w)`` of 0 to 1.

        Returns:
            ``(N, C, h, w)``; ``masks`` itself without ``refine``.
        """
        if self.refine is None:
            return masks
        return self.refine.refine_batch(resize_corners(images, masks.shape[-2:]), masks)
