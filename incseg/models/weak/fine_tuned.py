from typing import Any, TypeVar

from torch import nn

Network = TypeVar('Network', bound='FineTuned')


class FineTuned(nn.Module):
    """A network on a ``backbone`` that may be held as fine-tuning from ImageNet holds it.

    Attributes:
        frozen: Whether the backbone's early layers keep their weights, and all
            its ``norm_layers`` their weights and statistics.
    """

    backbone: Any
    frozen: bool

    def freeze(self, frozen: bool) -> None:
        """Say whether it is held; once, after the backbone was built.

        Args:
            frozen: See the class.  The backbone then has ``early_layers`` and
                ``norm_layers``, as :class:`BaseBackbone` has.
        """
        self.frozen = frozen
        if frozen:
            for module in (*self.backbone.early_layers(), *self.backbone.norm_layers()):
                module.requires_grad_(False)

    def train(self: Network, mode: bool = True) -> Network:
        """As every module's; frozen normalisations stay in evaluation."""
        super().train(mode)
        if self.frozen:
            for module in self.backbone.norm_layers():
                module.eval()
        return self
