from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from incseg.models.decode_heads.growing_classifier import GrowingClassifier
from incseg.registry import MODELS


class BaseDecodeHead(nn.Module, ABC):
    """A head that turns backbone features into logits of all classes seen so far.

    A subclass implements :meth:`forward_features`; the growing classifier, the
    losses and the teacher's counterpart come for free.

    Args:
        in_channels: Channels of the feature map at ``in_index``.
        channels: Channels that :meth:`forward_features` returns.
        in_index: Which of the backbone's feature maps the head reads; the
            last one by default, which for BiSeNet is the fused map.
        loss_decode: Config of the loss, or the loss itself.  It is called
            ``loss(logits, target, *, num_old, ignore_index)``; the method's
            choice in an incremental experiment.
        norm_cfg: Normalisation of the head's own layers.
        dropout_ratio: Probability of dropping a channel before the classifier.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        in_index: int = -1,
        loss_decode: Any = None,
        norm_cfg: dict | None = None,
        dropout_ratio: float = 0.1,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.channels = channels
        self.in_index = in_index
        self.norm_cfg = norm_cfg or dict(type='incseg.BN')
        loss = loss_decode or dict(type='CrossEntropyLoss')
        self.loss_decode = MODELS.build(loss) if isinstance(loss, dict) else loss
        self.dropout = nn.Dropout2d(dropout_ratio) if dropout_ratio > 0 else nn.Identity()
        self.classifier: GrowingClassifier | None = None

    def build_classifier(self, outputs_per_step: Sequence[int]) -> None:
        """Make the classifier of all steps up to this one; see :class:`GrowingClassifier`."""
        self.classifier = GrowingClassifier(self.channels, outputs_per_step)

    @property
    def num_old(self) -> int:
        """Outputs before this step, the background included; 1 at step 0."""
        if self.classifier is None:
            raise self._no_classifier()
        return self.classifier.num_old

    @abstractmethod
    def forward_features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """All of the backbone's maps -> ``(N, channels, h, w)``.

        The map meant for this head is ``feats[self.in_index]``.
        """

    def forward(self, feats: tuple[Tensor, ...], keep_features: bool = False) -> Any:
        """All of the backbone's maps -> logits ``(N, num_outputs, h, w)``.

        With ``keep_features`` also what :meth:`forward_features` returned, as a
        second value.
        """
        features = self.forward_features(feats)
        logits = self.classify(features)
        return (logits, features) if keep_features else logits

    def classify(self, features: Tensor) -> Tensor:
        """What :meth:`forward_features` returned -> logits ``(N, num_outputs, h, w)``."""
        if self.classifier is None:
            raise self._no_classifier()
        return self.classifier(self.dropout(features))

    def _no_classifier(self) -> RuntimeError:
        return RuntimeError(
            f'{type(self).__name__} has no classifier yet: call build_classifier() first'
        )
