"""How the classifier of new classes starts."""

from math import log

import torch

from incseg.models.decode_heads import GrowingClassifier
from incseg.models.decode_heads.growing_classifier import start_classifier
from incseg.registry import MODELS
from incseg.utils.rules import NOT_NEGATIVE, checked, expected, or_none

#: makes Python look for the old names of submodules, see incseg.renamed
__path__: list[str] = []


@MODELS.register_module()
class RandomInit:
    """Start a new classifier from random weights.

    Args:
        std: Standard deviation of the weights, with biases of zero; None for torch's own start
            of a convolution, weights and biases uniform within ``channels ** -0.5``, as in the
            published codes.

    Raises:
        InvalidInputError: If ``std`` is negative or no number.
    """

    def __init__(self, std: float | None = 0.01):
        self.std = checked('RandomInit std', std, or_none(NOT_NEGATIVE))

    def __call__(self, classifier: GrowingClassifier) -> None:
        """Initialise the newest step's classifier in place.

        Args:
            classifier: The classifier of all steps.
        """
        start_classifier(classifier.convs[-1], self.std)


@MODELS.register_module()
class BackgroundBalancedInit:
    """Start a new classifier from the background, as MiB does.

    Every new class gets the background's weight and its bias minus
    ``log(N + 1)`` for ``N`` new classes, and the background's bias drops by the same
    amount.  Then the background and each new class have ``1 / (N + 1)`` of the
    background's former probability; old classes keep theirs exactly.

    Call it after the previous step's weights are loaded.  The teacher must be
    loaded separately, with the background's former bias.

    Source: Cermelli et al., CVPR 2020, eq. 9 and 10.
    """

    @torch.no_grad()
    def __call__(self, classifier: GrowingClassifier) -> None:
        """Initialise the newest step's classifier and the background's bias in place.

        Args:
            classifier: The classifier of all steps, with the previous step's weights.

        Raises:
            ValueError: If there is only one step.
            InvalidInputError: If the classifier has no background output.
        """
        old, new = classifier.convs[0], classifier.convs[-1]
        if old is new:
            raise ValueError('a classifier with one step has no new classes to initialise')
        if not classifier.has_background:
            raise expected(
                'classifier_init.type',
                'BackgroundBalancedInit',
                "another one, as 'RandomInit': a head has no background output",
            )
        assert old.bias is not None and new.bias is not None
        share = log(new.out_channels + 1)
        new.weight.copy_(old.weight[:1].expand_as(new.weight))
        new.bias.copy_((old.bias[0] - share).expand_as(new.bias))
        old.bias[0] -= share
