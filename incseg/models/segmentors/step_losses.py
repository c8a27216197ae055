"""Segmentation losses in a step: with hidden classes, image weights, or soft labels."""

import inspect
from typing import Any

import torch
from torch import Tensor

from incseg.constants import VOID
from incseg.models.labellers import Localisation
from incseg.models.segmentors.hidden_classes import chosen_images, groups_of, options_of
from incseg.structures import NetworkOutputs


def loss_with_hidden(
    criterion: Any,
    logits: Tensor,
    target: Tensor,
    *,
    num_old: int,
    ignore_index: int,
    image_weight: Tensor | None = None,
    hidden: Tensor | None = None,
) -> Tensor:
    """Return a segmentation loss of images whose label 0 may hide different classes.

    Usually all old classes are hidden.  In an image of a replay memory none is: the loss treats
    it as one of a step without old classes, ``num_old=1``.  Images that hide some of the classes
    need a loss with the keyword ``hidden``, a tuple of train ids.  The parts are averaged by
    their numbers of images, which is one mean over all pixels.

    Args:
        criterion: Called ``criterion(logits, target, *, num_old, ignore_index)``.  Its target is
            int64, as torch's own losses want it; with the attribute ``uint8_target = True`` it
            gets the labels as they are, which saves memory.
        logits: ``(N, C, h, w)``.
        target: ``(N, H, W)`` of train ids, uint8 or int64.
        num_old: Outputs before this step, background included.
        ignore_index: Pixels with this label contribute zero.
        image_weight: ``(N,)``, a factor on each image's loss, or None.
        hidden: Bool ``(N, C)``, True for classes that the label 0 of an image may show; None
            where these are the old ones.  On the CPU, whatever the device of the logits, it
            costs no wait for a GPU.

    Returns:
        Scalar.
    """
    if not getattr(criterion, 'uint8_target', False):
        target = target.long()
    if hidden is None:
        return weighted_by_image(
            criterion, logits, target, image_weight, num_old=num_old, ignore_index=ignore_index
        )
    parts = []
    for ids, images in groups_of(hidden, num_old):
        chosen, labels, weight = chosen_images(images, logits, target, image_weight)
        assert chosen is not None and labels is not None
        options = dict(options_of(criterion, ids, num_old), ignore_index=ignore_index)
        part = weighted_by_image(criterion, chosen, labels, weight, **options)
        parts.append(part * (len(images) / len(hidden)))
    return sum(parts[1:], parts[0])


def weighted_by_image(
    criterion: Any, logits: Tensor, target: Tensor, image_weight: Tensor | None, **options: Any
) -> Tensor:
    """Return a loss with a factor on each image.

    A loss with an argument ``image_weight`` gets the factors.  Another loss is called
    image by image, and the results are multiplied and averaged, which is the
    same for a loss that is a mean over all pixels.

    Args:
        criterion: The loss, called ``criterion(logits, target, **options)``.
        logits: ``(N, C, h, w)``.
        target: ``(N, H, W)``.
        image_weight: ``(N,)``, or None for an ordinary call.
        options: Further arguments of the criterion.

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
    """Say whether a loss has an argument ``image_weight``."""
    call = getattr(criterion, 'forward', criterion)
    return 'image_weight' in inspect.signature(call).parameters


def weak_losses(network: Any, inputs: Tensor, image_labels: Tensor) -> dict[str, Tensor]:
    """Return the losses of a step that has image-level labels and no masks.

    Every head is trained with the labeller's soft labels.

    Args:
        network: An :class:`IncrementalSegmentor` whose target labeller takes
            image-level labels.
        inputs: Images ``(N, 3, H, W)``.
        image_labels: ``(N, C_new)``, 1 where the image shows the new class.

    Returns:
        Scalars ``'<head>.loss'``, ``'labeller.<name>.loss'`` and
        ``'distillation.<name>.loss'``.
    """
    student = network.extract(inputs, intermediate='intermediate' in network.reads)
    teacher = network.run_teacher(inputs)
    localised = network.target_labeller(inputs, image_labels, student, teacher)
    losses = {
        f'{name}.loss': network.head_weight(name) * soft_loss(head, name, student, localised)
        for name, head in network.heads.items()
    }
    losses |= {f'labeller.{name}.loss': loss for name, loss in localised.losses.items()}
    losses |= {
        f'distillation.{name}.loss': compare(student, teacher)
        for name, compare in network.distillation.items()
    }
    return losses


def soft_loss(head: Any, name: str, student: NetworkOutputs, localised: Localisation) -> Tensor:
    """Return the loss of one head against the labeller's soft labels, without the head's weight.

    Args:
        head: The head, with ``loss_decode`` and ``num_old``.
        name: The head's name, a key of ``student.logits``.
        student: Outputs of the network.
        localised: The labeller's result; without soft labels the loss is 0.

    Returns:
        Scalar.
    """
    if localised.targets is None:  # with a gradient of zero: DDP waits for every parameter's
        return 0.0 * student.logits[name].sum()
    return weighted_by_image(
        head.loss_decode,
        student.logits[name],
        localised.targets,
        localised.image_weight,
        num_old=head.num_old,
        ignore_index=VOID,
    )
