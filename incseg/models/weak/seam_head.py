"""SEAM's head: class activation maps and their refinement."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from incseg.models.weak.functional import cam_scores, pixel_correlation, resize_corners
from incseg.registry import MODELS
from incseg.utils.rules import check_values, or_none, whole

CHUNKS = dict.fromkeys(('chunk', 'train_chunk'), or_none(whole(1)))


@MODELS.register_module()
class SEAMHead(nn.Module):
    """SEAM's classifier and its pixel correlation module.

    The outputs of the classifier, a 1x1 convolution, before any pooling, are
    the class activation maps.  The pixel correlation module refines them by
    the similarity of pixels in colour and in two of the backbone's maps.

    Losses on the first result reach classifier and backbone.  Losses on the
    second reach only the module's three projections: its features and scores are
    detached from the backbone, as in the authors' code.

    Args:
        in_channels: Channels of the backbone's three maps, shallow to deep.
        num_classes: C, the number of foreground classes.  The background has no output,
            because no loss would train it.
        side_channels: Channels of the projections of the two shallow maps.
        affinity_channels: Length of the features that are compared.
        dropout_ratio: Share of the deepest map's channels that are dropped.
        chunk: Argument of :func:`pixel_correlation` where no gradient is recorded.
        train_chunk: The same where a gradient is recorded; None needs the most memory
            and the least time.

    Raises:
        InvalidInputError: If ``chunk`` or ``train_chunk`` is not allowed.

    Source: Wang et al., "SEAM", CVPR 2020, section 3.4.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        side_channels: Sequence[int] = (64, 128),
        affinity_channels: int = 192,
        dropout_ratio: float = 0.5,
        chunk: int | None = 512,
        train_chunk: int | None = None,
    ):
        super().__init__()
        check_values('SEAMHead', dict(chunk=chunk, train_chunk=train_chunk), CHUNKS)
        shallow, middle, deep = in_channels
        self.chunk, self.train_chunk = chunk, train_chunk
        self.dropout = nn.Dropout2d(dropout_ratio)
        self.classifier = nn.Conv2d(deep, num_classes, 1, bias=False)
        self.project_shallow = nn.Conv2d(shallow, side_channels[0], 1, bias=False)
        self.project_middle = nn.Conv2d(middle, side_channels[1], 1, bias=False)
        self.project_all = nn.Conv2d(3 + sum(side_channels), affinity_channels, 1, bias=False)
        nn.init.xavier_uniform_(self.classifier.weight)
        nn.init.kaiming_normal_(self.project_shallow.weight)
        nn.init.kaiming_normal_(self.project_middle.weight)
        nn.init.xavier_uniform_(self.project_all.weight, gain=4)

    def forward(self, stages: Sequence[Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
        """Return class activation maps, and the same refined; channel 0 is the background.

        Args:
            stages: The backbone's three maps, shallow to deep, each ``(N, C_i, h_i, w_i)``.
            images: The backbone's input, ``(N, 3, H, W)``.

        Returns:
            Raw class activation maps ``(N, 1 + C, h, w)`` at the deepest map's
            size, channel 0 zero; and the refined scores ``(N, 1 + C, h, w)`` at
            the shallowest map's size, float32 or wider.
        """
        shallow, middle, deep = stages
        activations = self.classifier(self.dropout(deep))
        with torch.no_grad():
            scores = cam_scores(activations)
        features = self.affinity_features(shallow.detach(), middle.detach(), images)
        chunk = self.train_chunk if torch.is_grad_enabled() else self.chunk
        refined = pixel_correlation(scores, features, chunk)
        return F.pad(activations, (0, 0, 0, 0, 1, 0)), refined

    def affinity_features(self, shallow: Tensor, middle: Tensor, images: Tensor) -> Tensor:
        """Return the features that are compared: colour and the two projected maps.

        Args:
            shallow: ``(N, C_1, h, w)``.
            middle: ``(N, C_2, h_2, w_2)``.
            images: ``(N, 3, H, W)``.

        Returns:
            ``(N, affinity_channels, h, w)``.
        """
        size = shallow.shape[-2:]
        return self.project_all(
            torch.cat(
                [
                    resize_corners(images, size),
                    self.project_shallow(shallow).relu(),
                    resize_corners(self.project_middle(middle).relu(), size),
                ],
                1,
            )
        )
