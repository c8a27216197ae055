from typing import Any

from torch import Tensor

from incseg.models.segmentors.image_weight import weighted_by_image


def loss_with_exemplars(
    criterion: Any, logits: Tensor, target: Tensor, *, num_old: int, ignore_index: int,
    image_weight: Tensor | None = None, exemplars: Tensor | None = None,
) -> Tensor:
    """A segmentation loss in which old classes are annotated in some of the images.

    Those images come from a replay memory.  No old class hides in their
    background, so to the loss they are images of a step without old classes,
    ``num_old=1``: to the unbiased cross-entropy, for instance, their background
    is background and an old label is that class.  The parts are averaged by
    their numbers of images, the same as one mean over all pixels.

    Args:
        criterion: Called ``criterion(logits, target, *, num_old, ignore_index)``.
        logits: ``(N, C, h, w)``.
        target: ``(N, H, W)`` of train ids.
        num_old, ignore_index: What the other images are called with.
        image_weight: ``(N,)``, a factor on each image's loss, or None.
        exemplars: Bool ``(N,)``, which images come from a memory; None for none.

    Returns:
        Scalar.
    """
    if exemplars is None or not bool(exemplars.any()):
        return weighted_by_image(criterion, logits, target, image_weight, num_old=num_old,
                                 ignore_index=ignore_index)
    parts = []
    for chosen, hidden in ((~exemplars, num_old), (exemplars, 1)):
        if bool(chosen.any()):
            weight = None if image_weight is None else image_weight[chosen]
            part = weighted_by_image(criterion, logits[chosen], target[chosen], weight,
                                     num_old=hidden, ignore_index=ignore_index)
            parts.append(part * (int(chosen.sum()) / len(chosen)))
    return sum(parts[1:], parts[0])
