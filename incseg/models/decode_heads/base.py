"""The base class of decode heads."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from incseg.models.decode_heads.class_map import Decision, label_type
from incseg.models.decode_heads.growing_classifier import GrowingClassifier
from incseg.registry import MODELS
from incseg.utils.rules import NOT_NEGATIVE, checked, one_or_list, or_none, whole


def listed(value: int | Sequence[int]) -> list[int]:
    """Return a number, or several, as a list."""
    return list(value) if isinstance(value, Sequence) else [value]


class BaseDecodeHead(nn.Module, ABC):
    """A head that turns backbone features into logits of all classes seen so far.

    A subclass implements :meth:`forward_features`; the growing classifier, the
    losses and the teacher's counterpart come for free.  A subclass whose logits do
    not become classes by argmax also implements :meth:`decide`.

    Args:
        in_channels: Channels of the feature map at ``in_index``; a list where a head reads several.
        channels: Channels that :meth:`forward_features` returns.
        in_index: Which of the backbone's feature maps the head reads, one or a list; the
            last one by default, which for BiSeNet is the fused map.
        loss_decode: Config of the loss, or the loss itself.  It is called
            ``loss(logits, target, *, num_old, ignore_index)``; the method's
            choice in an incremental experiment.
        norm_cfg: Normalisation of the head's own layers.
        dropout_ratio: Probability of dropping a channel before the classifier.
        init_std: Standard deviation of the first weights of the classifier; None for torch's own
            start, as in the published codes.

    Raises:
        InvalidInputError: If ``init_std`` is negative or no number, or there are no channels.
    """

    #: Whether output 0 is the background.  A head without that output has one output
    #: less than classes, output ``i`` is train id ``i + 1``, and :meth:`decide` says where
    #: there is background; its loss declares ``without_background = True``.
    has_background: bool = True

    def __init__(
        self,
        in_channels: int | Sequence[int],
        channels: int,
        in_index: Any = -1,
        loss_decode: Any = None,
        norm_cfg: dict | None = None,
        dropout_ratio: float = 0.1,
        init_std: float | None = 0.01,
    ):
        super().__init__()
        self.in_channels = checked('in_channels', in_channels, one_or_list(whole(1)))
        self.channels = checked('channels', channels, whole(1))
        self.in_index = in_index
        self.norm_cfg = norm_cfg or dict(type='incseg.BN')
        loss = loss_decode or dict(type='CrossEntropyLoss')
        self.loss_decode = MODELS.build(loss) if isinstance(loss, dict) else loss
        self.dropout = nn.Dropout2d(dropout_ratio) if dropout_ratio > 0 else nn.Identity()
        self.init_std = checked('init_std', init_std, or_none(NOT_NEGATIVE))
        self.classifier: GrowingClassifier | None = None

    def build_classifier(self, outputs_per_step: Sequence[int]) -> None:
        """Build the classifier of all steps up to this one, with small random weights.

        Args:
            outputs_per_step: Classes of each step; the first number includes the background.

        Raises:
            TypeError: If the head has no background output and no decision of its own.
        """
        if not self.has_background and self.own_decision is None:
            raise TypeError(
                f'{type(self).__name__} has no background output: it has to define decide()'
            )
        self.classifier = GrowingClassifier(
            self.channels, outputs_per_step, self.has_background, self.init_std
        )

    @property
    def num_old(self) -> int:
        """Number of train ids before this step, the background included; 1 at step 0."""
        if self.classifier is None:
            raise self._no_classifier()
        return self.classifier.num_old

    def new_parameter_names(self) -> list[str]:
        """Return the names in the head's ``state_dict`` of the parameters that this step adds."""
        if self.classifier is None:
            raise self._no_classifier()
        last = len(self.classifier.steps) - 1
        names = self.classifier.steps[last].state_dict()
        return [f'classifier.steps.{last}.{name}' for name in names]

    def decide(self, logits: Tensor) -> Tensor:
        """Return the class of every pixel: by default the output with the largest logit.

        The prediction, the teacher's pseudo-labels and through them the metric follow this
        method.  It looks at each pixel separately, because it is called with parts of an
        image: with any ``H`` and ``W``, at any resolution.

        Args:
            logits: ``(N, num_outputs, H, W)``.

        Returns:
            Train ids ``(N, H, W)``, uint8 (int64 for more than 256 classes).
        """
        return logits.argmax(1).to(label_type(logits.shape[1]))

    @property
    def own_decision(self) -> Decision | None:
        """The method :meth:`decide` of a subclass that has one; None for argmax (faster code)."""
        return None if type(self).decide is BaseDecodeHead.decide else self.decide

    @abstractmethod
    def forward_features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the features that are classified, ``(N, channels, h, w)``.

        Args:
            feats: All of the backbone's maps, each ``(N, C_i, h_i, w_i)``; the one meant for
                this head is ``feats[self.in_index]``.
        """

    def forward(self, feats: tuple[Tensor, ...], keep_features: bool = False) -> Any:
        """Return the logits of the backbone's maps.

        Args:
            feats: All of the backbone's maps, each ``(N, C_i, h_i, w_i)``.
            keep_features: Whether the features that the classifier reads are returned too.

        Returns:
            Logits ``(N, num_outputs, h, w)``; with ``keep_features`` a pair of them and the
            result of :meth:`forward_features`.
        """
        features = self.forward_features(feats)
        logits = self.classify(features)
        return (logits, features) if keep_features else logits

    def classify(self, features: Tensor) -> Tensor:
        """Return logits ``(N, num_outputs, h, w)`` of features ``(N, channels, h, w)``."""
        if self.classifier is None:
            raise self._no_classifier()
        return self.classifier(self.dropout(features))

    def _no_classifier(self) -> RuntimeError:
        return RuntimeError(
            f'{type(self).__name__} has no classifier yet: call build_classifier() first'
        )
