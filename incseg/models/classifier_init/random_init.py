from torch import nn

from incseg.models.decode_heads import GrowingClassifier
from incseg.registry import MODELS


@MODELS.register_module()
class RandomInit:
    """A new classifier starts from small random weights and zero biases.

    Args:
        std: Standard deviation of the weights.
    """

    def __init__(self, std: float = 0.01):
        self.std = std

    def __call__(self, classifier: GrowingClassifier) -> None:
        new = classifier.convs[-1]
        nn.init.normal_(new.weight, std=self.std)
        nn.init.zeros_(new.bias)  # type: ignore[arg-type]
