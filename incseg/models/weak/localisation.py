from dataclasses import dataclass

from torch import Tensor


@dataclass
class Localisation:
    """What a labeller makes of a batch's image-level labels.

    Attributes:
        losses: Its own losses by name, weighted.
        targets: Soft labels for the segmentation network, ``(N, C, h, w)`` of
            0 to 1 without gradient; None while it is not trained.
        image_weight: ``(N,)``, a factor on each image's segmentation loss, or None.
    """

    losses: dict[str, Tensor]
    targets: Tensor | None = None
    image_weight: Tensor | None = None
