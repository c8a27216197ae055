"""Parts of a network that a method freezes."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmcv.cnn import is_norm
from torch import nn

from incseg.utils.rules import any_of, expected

PARTS = (
    'backbone',
    'backbone_norm',
    'norm',
    'norm_affine',
    'head_features',
    'old_classifiers',
)


class FrozenParts:
    """Parts of a network that stay as the previous step left them.

    Their parameters get no gradient, so neither the optimiser nor its weight
    decay changes them.  They stay in evaluation mode in training, so that BatchNorm
    uses its running statistics and does not update them (not so ``'norm_affine'``).

    Args:
        names: Some of these:

            * ``'backbone'``: the whole backbone;
            * ``'backbone_norm'``: only the backbone's layers with running statistics
              (:meth:`BaseBackbone.norm_layers`);
            * ``'norm'``: the normalisation layers of backbone and heads;
            * ``'norm_affine'``: of these layers the weights and biases; they go on to normalise
              by the batch and to update their running statistics;
            * ``'head_features'``: all layers of the heads before their classifiers, but for
              dropout;
            * ``'old_classifiers'``: the classifiers of earlier steps.

    Raises:
        InvalidInputError: If a name is none of these.
    """

    def __init__(self, names: Sequence[str] = ()):
        if isinstance(names, str) or not all(name in PARTS for name in names):
            raise expected('frozen', names, f'a list of {any_of(PARTS)}')
        self.names = tuple(names)

    def freeze(self, network: Any) -> None:
        """Switch the gradients of the parts off; call it before the optimiser and DDP are built.

        Args:
            network: The :class:`IncrementalSegmentor`; it is changed.

        Raises:
            InvalidInputError: If ``'backbone_norm'`` is frozen and the backbone has no
                ``norm_layers()``.
        """
        if 'backbone_norm' in self.names and not hasattr(network.backbone, 'norm_layers'):
            raise expected(
                'frozen',
                list(self.names),
                f'other parts: {type(network.backbone).__name__} has no norm_layers() '
                '(see BaseBackbone)',
            )
        for module in self.modules(network):
            module.requires_grad_(False)
        if 'norm_affine' in self.names:
            for module in norm_layers(network):
                for parameter in module.parameters(recurse=False):
                    parameter.requires_grad_(False)
        if 'head_features' in self.names:
            for head in network.heads.values():
                for parameter in head.parameters(recurse=False):
                    parameter.requires_grad_(False)

    def hold(self, network: Any) -> None:
        """Set the parts to evaluation mode; call it after every ``train()`` of the network."""
        for module in self.modules(network):
            module.eval()

    def modules(self, network: Any) -> Iterator[nn.Module]:
        """Yield the modules that stay in evaluation mode; one of them may lie inside another.

        Args:
            network: The :class:`IncrementalSegmentor`.
        """
        if 'backbone' in self.names:
            yield network.backbone
        elif 'backbone_norm' in self.names:
            yield from network.backbone.norm_layers()
        if 'norm' in self.names:
            yield from norm_layers(network)
        for head in network.heads.values():
            if 'head_features' in self.names:
                yield from (
                    child
                    for name, child in head.named_children()
                    if name not in ('classifier', 'dropout', 'loss_decode')
                )
            if 'old_classifiers' in self.names:
                yield from head.classifier.convs[:-1]


def norm_layers(network: Any) -> list[nn.Module]:
    """Return the normalisation layers of backbone and heads, batch statistics or not.

    Args:
        network: The :class:`IncrementalSegmentor`.  Layers that its backbone names in
            ``norm_layers()`` count, whatever their type.
    """
    named: list[nn.Module] = list(getattr(network.backbone, 'norm_layers', list)())
    parts = (network.backbone, *network.heads.values())
    typed = [module for part in parts for module in part.modules() if is_norm(module)]
    return list(dict.fromkeys([*named, *typed]))
