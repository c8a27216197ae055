"""The median of a class's values from their histogram."""
import torch
from torch import Tensor


def class_medians(histograms: Tensor) -> Tensor:
    """Medians from histograms over [0, 1].

    Values are taken as spread evenly over their bin; a class without any has 0.

    Args:
        histograms: ``(K, bins)``, counts.

    Returns:
        ``(K,)``, float64.
    """
    bins = histograms.shape[1]
    half = histograms.sum(1, keepdim=True).double() / 2
    reached = histograms.cumsum(1)
    index = (reached >= half).int().argmax(1, keepdim=True)
    counts = histograms.gather(1, index)
    before = reached.gather(1, index) - counts
    inside = (half - before) / counts.clamp(min=1)
    return ((index + inside) / bins).squeeze(1)


def published_medians(histograms: Tensor) -> Tensor:
    """What PLOP's published code takes for the medians.

    It adds up the numbers of the bins that it has passed where it should add up
    their counts.  So it returns the median only where the first bin holds half
    of the values; elsewhere it may stop at a later bin, or at none: then the
    result is infinite of either sign, or not a number.  Numbers of bins are
    found by rounding down, which for 100 bins takes 28, 56 and 57 for 29, 57
    and 58.

    Args:
        histograms: ``(K, bins)``, counts.

    Returns:
        ``(K,)``, float32 like there.
    """
    bins = histograms.shape[1]
    found = torch.zeros(len(histograms), dtype=torch.float32)
    for c, counts in enumerate(histograms.cpu()):
        half = counts.sum() / 2
        if half <= 0:
            continue
        passed = 0.
        for step in range(bins):
            border = step / bins
            count = counts[int(border * bins)]
            if passed <= half <= passed + count:
                break
            passed += border * bins
        found[c] = border + (half - passed) / count * (1 / bins)
    return found
