"""Count pixels by truth and prediction, and compute scores from the counts."""

import torch
from torch import Tensor


def confusion_matrix(
    prediction: Tensor, target: Tensor, num_classes: int, ignore_index: int = 255
) -> Tensor:
    """Count the pixels of each pair of true and predicted class.

    Args:
        prediction: Integer train ids, any shape; not changed.
        target: Integer train ids of the same shape; not changed.
        num_classes: ``C``, background included.
        ignore_index: Pixels with this label are not counted.

    Returns:
        int64 ``(C, C)``: row = truth, column = prediction.

    Raises:
        ValueError: If the shapes differ, or a label is neither a class nor
            ``ignore_index``.
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f'prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ'
        )
    # void is a row after the last: leaving its pixels out costs more than all the counting
    void, cells = target == ignore_index, num_classes**2
    pair = target.to(torch.int32, copy=True).masked_fill_(void, num_classes)
    pair = pair.mul_(num_classes).add_(prediction.to(torch.int32)).flatten()
    matrix = torch.bincount(pair, minlength=cells)[:cells].view(num_classes, num_classes)
    if matrix.sum() + void.sum() != pair.numel():
        raise ValueError(
            f'labels up to {target[~void].max()} and predictions up to '
            f'{prediction.max()}, but there are {num_classes} classes'
        )
    return matrix


def iou_per_class(matrix: Tensor) -> list[float | None]:
    """Return the IoU of each class, in percent; None for a class without ground truth.

    Args:
        matrix: Counts ``(C, C)``: row = truth, column = prediction.
    """
    matrix = matrix.double()
    hit, truth, predicted = matrix.diag(), matrix.sum(1), matrix.sum(0)
    iou = 100 * hit / (truth + predicted - hit)
    return [float(value) if t > 0 else None for value, t in zip(iou, truth)]


def pixel_accuracy(matrix: Tensor) -> float | None:
    """Return the share of correct pixels, in percent; None if no pixel is counted.

    Args:
        matrix: Counts ``(C, C)``: row = truth, column = prediction.
    """
    total = int(matrix.sum())
    return 100 * int(matrix.diag().sum()) / total if total else None
