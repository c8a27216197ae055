"""PLOP's labeller: the teacher's confident predictions replace the background."""

from collections.abc import Iterable
from math import log
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from torch import Tensor

from incseg.models.decode_heads.class_map import Decision
from incseg.models.labellers.base import BaseLabeller
from incseg.models.labellers.uncertainty import entropy_maps
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs
from incseg.utils.rules import NOT_NEGATIVE, any_of, checked, expected

#: kind of median -> bins of its histogram
BINS = {'fixed': 10_000, 'paper_code': 100}


@MODELS.register_module()
class EntropyPseudoLabeller(BaseLabeller):
    """PLOP's labeller: confident predictions of the teacher replace the background.

    A pixel annotated as background (or as an old class) gets the class that the
    teacher's head decides on, if the entropy of the teacher's probabilities is below
    that class's threshold; else it becomes void.  A class's threshold is the median
    entropy of the pixels in which the teacher predicts it, over one epoch of the
    step's data, but at least ``min_threshold * K log K log C`` nats (``K`` classes of the
    teacher, ``C`` of the student), whatever ``median`` is.

    Each image also gets a weight: the share of its background and old pixels
    that were labelled, so that pixels of new classes do not outweigh the others.  As
    in the published code it is ``sure / (all + 1e-6)``, so an image without such
    pixels has the weight 0.

    Args:
        source: Name of the head whose logits are read.
        median: ``'fixed'``: entropies are divided by ``log K``, and medians are exact.
            ``'paper_code'``: as published, see :func:`published_medians`; entropies are
            divided by ``K log K log C``, and only pixels with label 0 count.
        min_threshold: The least threshold, in the published unit (``K log K log C`` nats).
        ignore_index: The label of void.

    Attributes:
        thresholds: ``(K,)``, float32, in the unit of ``median``; None before
            :meth:`prepare`.
        nats: The divisor that turns entropies in nats into the unit of ``median``.

    Raises:
        InvalidInputError: If an argument's value is not allowed.

    Source: Douillard et al., CVPR 2021, section 3.3.
    """

    source: str
    reads = frozenset()

    def __init__(
        self,
        source: str = 'decode_head',
        median: str = 'fixed',
        min_threshold: float = 0.001,
        ignore_index: int = 255,
    ):
        if median not in BINS:
            raise expected('EntropyPseudoLabeller median', median, any_of(sorted(BINS)))
        self.source = source
        self.median = median
        self.min_threshold = checked(
            'EntropyPseudoLabeller min_threshold', min_threshold, NOT_NEGATIVE
        )
        self.ignore_index = ignore_index
        self.thresholds: Tensor | None = None
        self.nats = 1.0
        self.decide: Decision | None = None
        self.has_background = True

    def build_for(self, network: Any) -> None:
        """Take from the head how logits become classes; the teacher's head does the same.

        Args:
            network: The :class:`IncrementalSegmentor`, the student.
        """
        if self.source in network.heads:  # check() refuses it otherwise
            head = network.heads[self.source]
            self.decide, self.has_background = head.own_decision, head.has_background

    def prepare(self, batches: Iterable[tuple[Tensor, NetworkOutputs]], num_classes: int) -> None:
        """Compute the thresholds, over the batches of all processes.

        Args:
            batches: Labels ``(N, H, W)`` and the teacher's outputs; at least one.
            num_classes: Classes of the student, the background included.

        Raises:
            ValueError: If there is no batch.
        """
        bins, histograms = BINS[self.median], None
        for labels, teacher in batches:
            logits = teacher.logits[self.source]
            if histograms is None:
                num_old = self._num_classes(logits)
                published = num_old * log(num_old + 1e-8) * log(num_classes)
                if self.median == 'paper_code':
                    self.nats, least = published, self.min_threshold
                else:
                    self.nats = log(max(num_old, 2))
                    least = self.min_threshold * published / self.nats
                histograms = torch.zeros(num_old * bins, dtype=torch.int64, device=logits.device)
            counted = labels == 0 if self.median == 'paper_code' else self._is_old(labels, num_old)
            maps = entropy_maps(logits, (labels.shape[-2], labels.shape[-1]), self.decide)
            for (best, entropy), used in zip(maps, counted):
                place = (entropy[used] / self.nats * bins).long().clamp_(0, bins - 1)
                place += best[used].long() * bins
                histograms += torch.bincount(place, minlength=len(histograms))
        if histograms is None:
            raise ValueError('EntropyPseudoLabeller.prepare() got no batch')
        all_reduce(histograms)
        histograms = histograms.view(-1, bins)
        medians = (published_medians if self.median == 'paper_code' else class_medians)(histograms)
        # not torch.maximum: like published code, max() leaves a median that is not a number
        self.thresholds = torch.tensor(
            [max(value, least) for value in medians.tolist()],
            dtype=torch.float32,
            device=histograms.device,
        )
        nats = self.thresholds * self.nats
        print_log(
            f'pseudo-labels: thresholds from {nats.min():.4g} to {nats.max():.4g} nats', 'current'
        )

    def _num_classes(self, logits: Tensor) -> int:
        """Return the number of classes of the teacher's logits, the background included."""
        return logits.shape[1] + (not self.has_background)

    def _is_old(self, labels: Tensor, num_old: int) -> Tensor:
        """Return where labels are below ``num_old`` (background or old) and not void: bool."""
        return (labels < num_old) & (labels != self.ignore_index)

    def __call__(
        self, labels: Tensor, student: NetworkOutputs, teacher: NetworkOutputs
    ) -> tuple[Tensor, Tensor]:
        """Return new labels of one batch, and the weights of its images.

        Args:
            labels: ``(N, H, W)`` of train ids; not changed.
            student: Not read.
            teacher: Outputs on the same images, with logits of ``source``.

        Returns:
            Labels ``(N, H, W)`` of the same type (int64 where uint8 cannot hold the old
            classes), and weights ``(N,)``, float32, in [0, 1].

        Raises:
            RuntimeError: If :meth:`prepare` was not called.
        """
        if self.thresholds is None:
            raise RuntimeError('EntropyPseudoLabeller needs thresholds: call prepare() first')
        logits = teacher.logits[self.source]
        num_old = self._num_classes(logits)
        if num_old > 255 and labels.dtype == torch.uint8:
            labels = labels.long()
        limits = self.thresholds.to(logits.device) * self.nats
        old = self._is_old(labels, num_old)
        replaced, shares = [], []
        maps = entropy_maps(logits, (labels.shape[-2], labels.shape[-1]), self.decide)
        for image, (best, entropy), is_old in zip(labels, maps, old):
            is_sure = (entropy < limits[best.long()]) & is_old
            chosen = best.to(labels.dtype).where(is_sure, self.ignore_index)
            replaced.append(chosen.where(is_old, image))
            shares.append(is_sure.sum() / (is_old.sum() + 1e-6))
        return torch.stack(replaced), torch.stack(shares).float()


def class_medians(histograms: Tensor) -> Tensor:
    """Return the median of each class's values from its histogram over [0, 1].

    Values count as spread evenly over their bin; a class without values has the median 0.

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
    """Return the numbers that PLOP's published code computes as medians.

    The published code adds up the numbers of the bins that it has passed, not their
    counts.  So the result is the median only where the first bin holds half of the
    values.  Elsewhere the loop may stop at a later bin or at none; then the result is
    plus or minus infinity, or not a number.  Numbers of bins are rounded down, which
    for 100 bins gives 28, 56 and 57 instead of 29, 57 and 58.

    Args:
        histograms: ``(K, bins)``, counts.

    Returns:
        ``(K,)``, float32 as in the published code.
    """
    bins = histograms.shape[1]
    medians = torch.zeros(len(histograms), dtype=torch.float32)
    for c, counts in enumerate(histograms.cpu()):
        half = counts.sum() / 2
        if half <= 0:
            continue
        passed = 0.0
        for step in range(bins):
            border = step / bins
            count = counts[int(border * bins)]
            if passed <= half <= passed + count:
                break
            passed += border * bins
        medians[c] = border + (half - passed) / count * (1 / bins)
    return medians
