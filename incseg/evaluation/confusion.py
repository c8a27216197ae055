"""Count pixels by truth and prediction, and compute scores from the counts."""

import torch
import torch.nn.functional as F
from torch import Tensor

#: copies of the bins that neighbouring pixels of a GPU count into, as most fall into few bins and
#: additions to one wait for each other; and bins of all copies at most
COPIES, MOST_BINS = 64, 2**21


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
    counts = pair_counts(prediction, target, num_classes, ignore_index)
    return matrix_of_counts(counts, num_classes)


def pair_counts(
    prediction: Tensor, target: Tensor, num_classes: int, ignore_index: int = 255
) -> Tensor:
    """Count the pixels of a confusion matrix, without a wait for a GPU.

    The arguments are those of :func:`confusion_matrix`.

    Returns:
        int64 ``(C * C + C + 1,)``: the matrix by rows; void pixels by prediction (zeros from a
        CPU); pixels with a label that is no class.

    Raises:
        ValueError: If the shapes differ; on a CPU, if a label is neither a class nor
            ``ignore_index``.  A GPU counts such labels: :func:`matrix_of_counts` refuses them.
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f'prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ'
        )
    # void is a row after the last: leaving its pixels out costs more than all the counting
    void, cells = target == ignore_index, num_classes**2
    pair = target.to(torch.int32, copy=True).masked_fill_(void, num_classes)
    if target.device.type != 'cpu':
        guess = prediction.to(torch.int32)
        foreign = (pair < 0) | (pair >= num_classes) | (guess < 0) | (guess >= num_classes)
        pair = pair.mul_(num_classes).add_(guess.clamp(0, num_classes - 1))
        pair = pair.masked_fill_(foreign & ~void, cells + num_classes).flatten().long()
        bins = cells + num_classes + 1
        copies = max(1, min(COPIES, MOST_BINS // bins))
        pair += bins * (torch.arange(len(pair), device=pair.device) % copies)
        counts = torch.zeros(copies * bins, dtype=torch.int64, device=pair.device)
        return counts.scatter_add_(0, pair, torch.ones_like(pair)).view(copies, bins).sum(0)
    pair = pair.mul_(num_classes).add_(prediction.to(torch.int32)).flatten()
    counts = torch.bincount(pair, minlength=cells)[:cells]
    if counts.sum() + void.sum() != pair.numel():
        raise ValueError(
            f'labels up to {target[~void].max()} and predictions up to '
            f'{prediction.max()}, but there are {num_classes} classes'
        )
    return F.pad(counts, (0, num_classes + 1))


def matrix_of_counts(counts: Tensor, num_classes: int) -> Tensor:
    """Return the confusion matrix of pixels that :func:`pair_counts` counted, maybe added up.

    Args:
        counts: ``(C * C + C + 1,)``.
        num_classes: ``C``.

    Returns:
        int64 ``(C, C)``.

    Raises:
        ValueError: If a label was no class.
    """
    if foreign := int(counts[-1]):
        raise ValueError(
            f'{foreign} pixels have a label or a prediction that is none of the '
            f'{num_classes} classes'
        )
    return counts[: num_classes**2].view(num_classes, num_classes)


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
