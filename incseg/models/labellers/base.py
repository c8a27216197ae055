"""The base class of target labellers, which replace labels inside a training step."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from incseg.structures import NetworkOutputs
from incseg.utils.rules import any_of, expected


class BaseLabeller:
    """Base class of target labellers; every method may be left as it is.

    A labeller is called once per training batch.  By default the call is
    ``labeller(labels, student, teacher)`` with labels ``(N, H, W)`` of train ids and the
    :class:`NetworkOutputs` of both networks.  It returns labels of the same shape, or labels
    and an image weight ``(N,)``, a factor on each image's segmentation losses.  With
    ``takes_image_labels`` the call is ``labeller(images, image_labels, student, teacher)``
    with ``(N, 3, H, W)`` and ``(N, C_new)``, and returns a :class:`Localisation`.

    A labeller that is trained too is a ``torch.nn.Module`` as well: inherit from
    ``nn.Module`` first.  Its weights are part of the training only, not of the saved network.

    The order of the calls in a step is :meth:`build_for`, :meth:`check` (only where a config
    is checked), :meth:`prepare`, and then :meth:`set_epoch` before every batch.

    Attributes:
        source: Name of the head whose logits are read, or None for all heads.  Logits of
            other auxiliary heads of the teacher are not computed.
        reads: The parts of :class:`NetworkOutputs` that are read besides logits: a set of
            ``'features'`` and ``'intermediate'`` (stages and head features).  Other parts
            are not kept.
        takes_image_labels: Whether the labeller learns from images without masks.
    """

    source: str | None = None
    reads: frozenset[str] = frozenset({'features'})
    takes_image_labels: bool = False

    def build_for(self, network: Any) -> None:
        """Prepare the labeller for a network: read its parts, or build own parameters that fit it.

        Args:
            network: The :class:`IncrementalSegmentor`, the student, before the optimiser is built.
        """

    def check(self, network: Any) -> None:
        """Refuse a network that lacks something that the labeller reads.

        Args:
            network: The :class:`IncrementalSegmentor`, the student.

        Raises:
            InvalidInputError: Naming the argument and the allowed values.
        """
        if self.source is not None and self.source not in network.heads:
            raise expected('source', self.source, any_of(network.heads))

    def prepare(self, batches: Iterable[tuple[Tensor, NetworkOutputs]], num_classes: int) -> None:
        """Look at the step's data once before the training, also when a step is resumed.

        Args:
            batches: Labels ``(N, H, W)`` and the teacher's outputs on one epoch of training
                batches.  They are computed only as far as they are read.
            num_classes: Classes of the student, the background included.
        """

    def set_epoch(self, epoch: int) -> None:
        """Tell the labeller the epoch; called before every iteration.

        Args:
            epoch: The epoch of the incremental step, from 0.
        """


@dataclass
class Localisation:
    """Losses and soft labels that a labeller makes from a batch's image-level labels.

    Attributes:
        losses: The labeller's own losses by name, weighted scalars.
        targets: Soft labels for the segmentation network, ``(N, C, h, w)`` of
            0 to 1 without gradient; None while the segmentation network is not trained.
        image_weight: ``(N,)``, a factor on each image's segmentation loss, or None.
    """

    losses: dict[str, Tensor]
    targets: Tensor | None = None
    image_weight: Tensor | None = None
