"""The cross-entropy, ordinary and unbiased."""

import torch
from torch import Tensor

from incseg.utils.precision import at_least_float32
from incseg.utils.rules import expected


def unbiased_cross_entropy(
    logits: Tensor,
    target: Tensor,
    num_old: int,
    ignore_index: int = 255,
    image_weight: Tensor | None = None,
) -> Tensor:
    """Return the cross-entropy in which a label 0 means everything that is not new.

    In an incremental step the pixels of old classes are annotated as
    background.  So the probability of the label 0 is the sum over the background
    *and* all old classes; the probability of a new class is its own.  With
    ``num_old`` of 0 or 1 there are no old classes, and the result is the ordinary
    cross-entropy.

    Args:
        logits: ``(N, C, H, W)``, unnormalised, channel 0 the background,
            channels ``1..num_old-1`` the old classes.
        target: ``(N, H, W)``, integer train ids.  Ids below ``num_old`` count
            as background.
        num_old: Number of outputs before this step, the background included.
        ignore_index: Pixels with this label contribute zero.
        image_weight: ``(N,)``, a factor on every pixel of an image; the mean
            is still over all pixels.  Gets no gradient.

    Returns:
        Scalar, float32 or wider: the mean over **all** ``N * H * W`` pixels, ignored
        ones counting as zero.

    Raises:
        ValueError: If the shapes do not fit, there is no image, ``num_old > C``,
            or a label is neither a channel nor ignored; on a GPU the result is NaN then.

    Source: Cermelli et al., "Modeling the Background for Incremental Learning
    in Semantic Segmentation", CVPR 2020, eq. 5 and 6.
    """
    if logits.shape[:1] + logits.shape[2:] != target.shape:
        raise expected(
            'shape of logits and target',
            (tuple(logits.shape), tuple(target.shape)),
            '(N, C, H, W) and (N, H, W)',
        )
    if not 0 <= num_old <= logits.shape[1]:
        raise expected('num_old', num_old, f'0 to {logits.shape[1]} (the channels)')
    check_target(target, logits.shape[1], ignore_index)
    logits = at_least_float32(logits)
    index, valid, foreign = channels_of_labels(target, logits.shape[1], ignore_index)
    if num_old > 1:
        index = index.where(index >= num_old, 0)
    score = logits.gather(1, index.unsqueeze(1)).squeeze(1)
    if num_old > 1:
        score = torch.where(index == 0, logits[:, :num_old].logsumexp(1), score)
    loss = logits.logsumexp(1) - score
    loss = loss.where(valid, 0)
    if foreign is not None:
        loss = loss.masked_fill(foreign, float('nan'))
    if image_weight is not None:
        loss = loss * check_image_weight(image_weight, logits)[:, None, None]
    return loss.mean()


def check_target(target: Tensor, num_channels: int, ignore_index: int) -> None:
    """Refuse a target without images, or with a label that is neither a channel nor ignored.

    Labels on a GPU are not looked at: reading them would wait for the device.  There
    :func:`channels_of_labels` finds such a label, and the loss becomes NaN.

    Args:
        target: ``(N, H, W)``, integer labels.
        num_channels: Number of the logits' channels.
        ignore_index: The label of ignored pixels.

    Raises:
        ValueError: Naming the first such label.
    """
    if not len(target):
        raise expected('shape of target', tuple(target.shape), 'at least one image')
    all_fit = target.dtype is torch.uint8 and num_channels > 255
    if is_read(target) and not all_fit:
        foreign = target[is_foreign(target, num_channels, ignore_index)]
        if len(foreign):
            raise expected(
                'a label of target',
                foreign[0].item(),
                f'0 to {num_channels - 1} (the channels) or {ignore_index} (ignored)',
            )


def channels_of_labels(
    target: Tensor, num_channels: int, ignore_index: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the channel of every label, and which labels have one.

    Args:
        target: ``(N, H, W)``, integer labels, which :func:`check_target` has let through.
        num_channels: Number of the logits' channels.
        ignore_index: The label of ignored pixels.

    Returns:
        Three of the target's shape: the channels, int64, 0 where there is none; False at ignored
        pixels; True at foreign labels, or None where :func:`check_target` has read the labels.
    """
    target = target.long()
    valid = target != ignore_index
    if is_read(target):
        return target.where(valid, 0), valid, None
    foreign = is_foreign(target, num_channels, ignore_index)
    return target.where(valid & ~foreign, 0), valid, foreign


def is_foreign(target: Tensor, num_channels: int, ignore_index: int) -> Tensor:
    """Return where a label is neither a channel nor ignored, bool of the target's shape."""
    return ((target >= num_channels) | (target < 0)) & (target != ignore_index)


def is_read(target: Tensor) -> bool:
    """Say whether a target's labels can be read without waiting for a device."""
    return target.device.type == 'cpu'


def check_image_weight(image_weight: Tensor, logits: Tensor) -> Tensor:
    """Return the weights in the logits' dtype and on their device, without gradient.

    Args:
        image_weight: ``(N,)``.
        logits: ``(N, …)``.

    Returns:
        ``(N,)``.

    Raises:
        ValueError: If there is not one weight per image.
    """
    if image_weight.shape != logits.shape[:1]:
        raise expected(
            'shape of image_weight',
            tuple(image_weight.shape),
            f'({len(logits)},): one number per image',
        )
    return image_weight.detach().to(logits)
