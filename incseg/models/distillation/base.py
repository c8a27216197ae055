from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from incseg.errors import InvalidInputError
from incseg.models.backbones.base import hands_out_stages, no_stages
from incseg.structures import NetworkOutputs
from incseg.utils.rules import NOT_NEGATIVE, checked


class BaseDistillation(nn.Module, ABC):
    """One thing that is kept from the teacher: a named term of the loss.

    Args:
        loss_weight: Factor on the term, 0 or more.
        source: Which part of the network it compares: the name of a head
            (``'decode_head'`` or an auxiliary head's name).

    Attributes:
        reads: What it reads of :class:`NetworkOutputs` besides logits:
            ``'features'``, and ``'intermediate'`` for stages and head features.
            What nobody reads is not kept.

    Raises:
        InvalidInputError: If the weight is not allowed.
    """

    reads: ClassVar[frozenset[str]] = frozenset({'features'})

    def __init__(self, loss_weight: float = 1.0, source: str = 'decode_head'):
        super().__init__()
        self.loss_weight = checked(f'{type(self).__name__} loss_weight', loss_weight, NOT_NEGATIVE)
        self.source = source

    def check(self, network: Any) -> None:
        """Whether a network has what the term compares; called when a config is checked.

        Raises:
            InvalidInputError: Naming the argument and what is allowed.
        """
        if self.source not in network.heads:
            raise InvalidInputError(f'source is {self.source!r}, allowed: {list(network.heads)}')
        if 'intermediate' in self.reads and not hands_out_stages(network.backbone):
            raise InvalidInputError(f'{type(self).__name__} reads {no_stages(network.backbone)}')

    @abstractmethod
    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        """The un-weighted term, a scalar."""

    def forward(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        return self.loss_weight * self.compare(student, teacher)
