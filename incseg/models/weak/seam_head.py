from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from incseg.models.weak.functional import cam_scores, pixel_correlation, resize_corners
from incseg.protocols.value_rules import check_values, or_none, whole
from incseg.registry import MODELS

CHUNKS = dict.fromkeys(('chunk', 'train_chunk'), or_none(whole(1)))


@MODELS.register_module()
class SEAMHead(nn.Module):
    """SEAM's classifier and its pixel correlation module.

    The classifier is a 1x1 convolution whose outputs, before any pooling, are
    the class activation maps.  The pixel correlation module refines them by
    the likeness of pixels in colour and in two of the backbone's maps.

    Losses on the first result reach classifier and backbone, losses on the
    second the module's three projections alone: its features and scores are
    cut off from the backbone, as in the authors' code.

    Args:
        in_channels: Of the backbone's three taps.
        num_classes: C, the foreground classes.  The background has no output:
            no loss would train it.
        side_channels: What the two shallow taps are projected to.
        affinity_channels: Length of the features that are compared.
        dropout_ratio: Share of the deepest map's channels that are dropped.
        chunk: Of :func:`pixel_correlation` where no gradient is recorded.
        train_chunk: Of it where one is; None needs the most memory and the
            least time.

    Source: Wang et al., "SEAM", CVPR 2020, section 3.4.
    """

    def __init__(
        self, in_channels: Sequence[int], num_classes: int,
        side_channels: Sequence[int] = (64, 128), affinity_channels: int = 192,
        dropout_ratio: float = 0.5, chunk: int | None = 512, train_chunk: int | None = None,
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

    def forward(self, taps: Sequence[Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
        """Both maps have channel 0 for the background, which is zero in the first.

        Args:
            taps: The backbone's three maps, shallow to deep.
            images: What the backbone got, ``(N, 3, H, W)``.

        Returns:
            Class activation maps, raw, ``(N, 1 + C, h, w)`` at the deepest
            tap's size; and the refined scores, ``(N, 1 + C, h, w)`` at the
            shallow tap's, float32 or wider.
        """
        shallow, middle, deep = taps
        activations = self.classifier(self.dropout(deep))
        with torch.no_grad():
            scores = cam_scores(activations)
        features = self.affinity_features(shallow.detach(), middle.detach(), images)
        chunk = self.train_chunk if torch.is_grad_enabled() else self.chunk
        refined = pixel_correlation(scores, features, chunk)
        return F.pad(activations, (0, 0, 0, 0, 1, 0)), refined

    def affinity_features(self, shallow: Tensor, middle: Tensor, images: Tensor) -> Tensor:
        """Colour first, then the two projected taps -> ``(N, affinity_channels, h, w)``."""
        size = shallow.shape[-2:]
        return self.project_all(torch.cat([
            resize_corners(images, size), self.project_shallow(shallow).relu(),
            resize_corners(self.project_middle(middle).relu(), size)], 1))
