import torch
from torch import Tensor


def confusion_matrix(
    prediction: Tensor, target: Tensor, num_classes: int, ignore_index: int = 255
) -> Tensor:
    """Count pixels by truth and prediction.

    Args:
        prediction: Integer train ids, any shape.
        target: Integer train ids of the same shape; ``ignore_index`` pixels
            are left out.
        num_classes: ``C``, background included.
        ignore_index: The label that is left out.

    Returns:
        int64 ``(C, C)``: row = truth, column = prediction.

    Raises:
        ValueError: If the shapes differ.
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f'prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ')
    valid = target != ignore_index
    pair = target[valid].long() * num_classes + prediction[valid].long()
    return torch.bincount(pair, minlength=num_classes**2).reshape(num_classes, num_classes)


def iou_per_class(matrix: Tensor) -> list[float | None]:
    """Intersection over union of each class in percent; None without ground truth."""
    matrix = matrix.double()
    hit, truth, predicted = matrix.diag(), matrix.sum(1), matrix.sum(0)
    iou = 100 * hit / (truth + predicted - hit)
    return [float(value) if t > 0 else None for value, t in zip(iou, truth)]


def pixel_accuracy(matrix: Tensor) -> float | None:
    """Share of pixels that are right, in percent; None if there are no pixels."""
    total = int(matrix.sum())
    return 100 * int(matrix.diag().sum()) / total if total else None
