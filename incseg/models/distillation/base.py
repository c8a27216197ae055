from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from incseg.errors import InvalidInputError
from incseg.models.backbones.base import hands_out_stages, no_stages
from incseg.structures import NetworkOutputs
from incseg.utils.rules import NOT_NEGATIVE, any_of, checked, expected


class BaseDistillation(nn.Module, ABC):
    """A named term of the loss that keeps the student close to the teacher.

    A subclass implements :meth:`compare`.

    Args:
        loss_weight: Factor on the term, 0 or more.
        source: Name of the head that is compared: ``'decode_head'`` or an auxiliary
            head's name.

    Attributes:
        reads: The parts of :class:`NetworkOutputs` that the term reads besides logits: a set
            of ``'features'`` and ``'intermediate'`` (stages and head features).  Other
            parts are not kept.

    Raises:
        InvalidInputError: If the weight is not allowed.
    """

    reads: ClassVar[frozenset[str]] = frozenset({'features'})

    def __init__(self, loss_weight: float = 1.0, source: str = 'decode_head'):
        super().__init__()
        self.loss_weight = checked(f'{type(self).__name__} loss_weight', loss_weight, NOT_NEGATIVE)
        self.source = source

    def check(self, network: Any) -> None:
        """Refuse a network that lacks something that the term compares.

        Called when a config is checked.

        Args:
            network: The :class:`IncrementalSegmentor`, the student.

        Raises:
            InvalidInputError: Naming the argument and the allowed values.
        """
        if self.source not in network.heads:
            raise expected('source', self.source, any_of(network.heads))
        if 'intermediate' in self.reads and not hands_out_stages(network.backbone):
            raise InvalidInputError(f'{type(self).__name__} reads {no_stages(network.backbone)}')

    @abstractmethod
    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        """Return the term without its factor ``loss_weight``, a scalar.

        Args:
            student, teacher: Outputs of both networks on the same images.
        """

    def forward(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        """Return the term times ``loss_weight``, a scalar.

        Args:
            student, teacher: Outputs of both networks on the same images.
        """
        return self.loss_weight * self.compare(student, teacher)
