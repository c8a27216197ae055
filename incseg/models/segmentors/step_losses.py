import inspect
from typing import Any

import torch
from torch import Tensor

from incseg.constants import VOID
from incseg.models.labellers import Localisation
from incseg.structures import NetworkOutputs


def loss_with_exemplars(
    criterion: Any,
    logits: Tensor,
    target: Tensor,
    *,
    num_old: int,
    ignore_index: int,
    image_weight: Tensor | None = None,
    exemplars: Tensor | None = None,
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
        return weighted_by_image(
            criterion, logits, target, image_weight, num_old=num_old, ignore_index=ignore_index
        )
    parts = []
    for chosen, hidden in ((~exemplars, num_old), (exemplars, 1)):
        if bool(chosen.any()):
            weight = None if image_weight is None else image_weight[chosen]
            part = weighted_by_image(
                criterion,
                logits[chosen],
                target[chosen],
                weight,
                num_old=hidden,
                ignore_index=ignore_index,
            )
            parts.append(part * (int(chosen.sum()) / len(chosen)))
    return sum(parts[1:], parts[0])


def weighted_by_image(
    criterion: Any, logits: Tensor, target: Tensor, image_weight: Tensor | None, **options: Any
) -> Tensor:
    """A loss whose images count differently, whether or not it knows of weights.

    A loss with an argument ``image_weight`` gets it; another one is called
    image by image, and what it returns is multiplied and averaged, which is the
    same for a loss that is a mean over all pixels.

    Args:
        criterion: Called ``criterion(logits, target, **options)``.
        logits: ``(N, C, h, w)``.
        target: ``(N, H, W)``.
        image_weight: ``(N,)``, or None for an ordinary call.
        options: Handed on.

    Returns:
        Scalar.
    """
    if image_weight is None:
        return criterion(logits, target, **options)
    if takes_image_weight(criterion):
        return criterion(logits, target, image_weight=image_weight, **options)
    losses = torch.stack(
        [criterion(logits[i : i + 1], target[i : i + 1], **options) for i in range(len(logits))]
    )
    return (losses * image_weight.to(losses)).mean()


def takes_image_weight(criterion: Any) -> bool:
    """Whether a loss has an argument ``image_weight``."""
    call = getattr(criterion, 'forward', criterion)
    return 'image_weight' in inspect.signature(call).parameters


def weak_losses(network: Any, inputs: Tensor, image_labels: Tensor) -> dict[str, Tensor]:
    """The losses of a step that has image-level labels and no masks.

    Every head is trained with the labeller's soft targets.

    Args:
        network: An :class:`IncrementalSegmentor` whose target labeller takes
            image-level labels.
        inputs: Images ``(N, 3, H, W)``.
        image_labels: ``(N, C_new)``, 1 where the image shows the new class.

    Returns:
        ``'<head>.loss'``, ``'labeller.<name>.loss'`` and
        ``'distillation.<name>.loss'``.
    """
    student = network.extract(inputs, intermediate='intermediate' in network.reads)
    teacher = network.run_teacher(inputs)
    made = network.target_labeller(inputs, image_labels, student, teacher)
    losses = {
        f'{name}.loss': network.head_weight(name) * soft_loss(head, name, student, made)
        for name, head in network.heads.items()
    }
    losses |= {f'labeller.{name}.loss': loss for name, loss in made.losses.items()}
    losses |= {
        f'distillation.{name}.loss': compare(student, teacher)
        for name, compare in network.distillation.items()
    }
    return losses


def soft_loss(head: Any, name: str, student: NetworkOutputs, made: Localisation) -> Tensor:
    """The loss of one head, not weighted; 0 without targets."""
    if made.targets is None:  # a gradient of zero: DDP waits for every parameter's
        return 0.0 * student.logits[name].sum()
    return weighted_by_image(
        head.loss_decode,
        student.logits[name],
        made.targets,
        made.image_weight,
        num_old=head.num_old,
        ignore_index=VOID,
    )
