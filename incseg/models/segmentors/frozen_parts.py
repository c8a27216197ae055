from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from incseg.errors import InvalidInputError

PARTS = ('backbone', 'backbone_norm', 'head_features', 'old_classifiers')


class FrozenParts:
    """Parts of a network that stay as the previous step left them.

    Their parameters get no gradient, so neither the optimiser nor its weight
    decay moves them, and they are in evaluation mode whatever the network is
    in, so that BatchNorm uses and keeps its running statistics.

    Args:
        names: Of ``'backbone'``; ``'backbone_norm'``, of that only the layers that
            keep statistics (:meth:`BaseBackbone.norm_layers`); ``'head_features'``,
            all that the heads have before their classifiers (dropout stays
            active); and ``'old_classifiers'``, those of earlier steps.

    Raises:
        InvalidInputError: If a name is none of these.
    """

    def __init__(self, names: Sequence[str] = ()):
        if isinstance(names, str) or not all(name in PARTS for name in names):
            raise InvalidInputError(f'frozen is {names!r}, allowed: a list of {list(PARTS)}')
        self.names = tuple(names)

    def freeze(self, network: Any) -> None:
        """Take the gradients away; before the optimiser and DDP look at the parameters.

        Raises:
            InvalidInputError: If the backbone does not say which its normalisations are.
        """
        if 'backbone_norm' in self.names and not hasattr(network.backbone, 'norm_layers'):
            raise InvalidInputError(
                f'frozen is {list(self.names)}, but {type(network.backbone).__name__} has no '
                'norm_layers(), see BaseBackbone'
            )
        for module in self.modules(network):
            module.requires_grad_(False)
        if 'head_features' in self.names:
            for head in network.heads.values():
                for parameter in head.parameters(recurse=False):
                    parameter.requires_grad_(False)

    def hold(self, network: Any) -> None:
        """Put them back into evaluation mode; after every ``train()`` of the network."""
        for module in self.modules(network):
            module.eval()

    def modules(self, network: Any) -> Iterator[nn.Module]:
        """The outermost frozen modules."""
        if 'backbone' in self.names:
            yield network.backbone
        elif 'backbone_norm' in self.names:
            yield from network.backbone.norm_layers()
        for head in network.heads.values():
            if 'head_features' in self.names:
                yield from (
                    child
                    for name, child in head.named_children()
                    if name not in ('classifier', 'dropout', 'loss_decode')
                )
            if 'old_classifiers' in self.names:
                yield from head.classifier.convs[:-1]
