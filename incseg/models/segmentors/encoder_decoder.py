"""A segmentation network of backbone and heads."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from incseg.constants import VOID
from incseg.errors import InvalidInputError
from incseg.models.backbones.base import check_maps, check_pair, hands_out_stages, no_stages
from incseg.models.convolutions import lay_out
from incseg.models.data_preprocessor import build_preprocessor
from incseg.models.decode_heads import BaseDecodeHead
from incseg.models.prediction import PredictionSettings
from incseg.models.prediction.predict import predict_batch
from incseg.models.prediction.whole import predict_whole
from incseg.models.segmentors.head_building import build_head
from incseg.models.segmentors.hidden_classes import hidden_rows
from incseg.models.segmentors.step_losses import loss_with_hidden
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs, SegDataSample
from incseg.utils.rules import any_of, expected


@MODELS.register_module()
class EncoderDecoder(BaseModel):
    """A segmentation network: backbone, principal head, auxiliary heads.

    Args:
        backbone: Config of the backbone; the backbone has ``out_channels``, one per map.
        decode_head: Config of the principal head.  ``in_channels`` defaults to the
            channels of the backbone's map ``in_index``, ``channels`` to the same number
            (auxiliary heads: half of it).
        outputs_per_step: Classes of each step so far; the first number includes the
            background.
        auxiliary_head: Configs of auxiliary heads by name, or None.  They
            are used in training only.
        auxiliary_weight: Factor on each auxiliary loss (BiSeNet's alpha).
        data_preprocessor: Config of the preprocessor, see :func:`build_preprocessor`.
        channels_last: Whether the layout is channels-last; None: as suits the processor.

    Attributes:
        outputs_per_step: Classes of each step so far, a tuple.
        prediction: Windows, flips and scales of :meth:`test_step`; None for whole pictures.

    Raises:
        InvalidInputError: If a head does not fit the backbone, or a loss does not fit its head.
    """

    prediction: PredictionSettings | None = None

    def __init__(
        self,
        backbone: dict,
        decode_head: dict,
        outputs_per_step: Sequence[int],
        auxiliary_head: Mapping[str, dict | None] | None = None,
        auxiliary_weight: float = 1.0,
        data_preprocessor: dict | None = None,
        channels_last: bool | str | None = None,
    ):
        super().__init__(build_preprocessor(data_preprocessor, backbone))
        self.backbone = MODELS.build(backbone)
        self.outputs_per_step = tuple(outputs_per_step)
        build = functools.partial(build_head, self.backbone, outputs_per_step)
        self.decode_head = build('decode_head', decode_head)
        self.auxiliary_head = nn.ModuleDict(
            {
                name: build(f'auxiliary_head.{name}', head, shrink=2)
                for name, head in (auxiliary_head or {}).items()
                if head is not None
            }
        )
        if 'decode_head' in self.auxiliary_head:
            raise InvalidInputError(
                "an auxiliary head is named 'decode_head', which is the principal head's name"
            )
        self.auxiliary_weight = auxiliary_weight
        self.memory_format = lay_out(self, channels_last)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let a subclass of incseg 0.1, whose ``forward`` takes no ``labels``, do without them."""
        super().__init_subclass__(**kwargs)
        own = cls.__dict__.get('forward')
        if own is not None and not {'labels', 'kwargs'} & set(inspect.signature(own).parameters):
            cls.forward = without_labels(own)  # type: ignore[method-assign]

    @property
    def heads(self) -> dict[str, BaseDecodeHead]:
        """All heads by name, the principal one first."""
        return {'decode_head': self.decode_head, **dict(self.auxiliary_head.items())}  # type: ignore

    @property
    def num_classes(self) -> int:
        """Number of train ids that the network predicts, the background included."""
        return sum(self.outputs_per_step)

    def new_parameter_names(self) -> list[str]:
        """Return the names in ``state_dict`` that the previous step's weights may lack.

        Here: the newest step's classifiers.  A name that the previous step has is loaded anyway.
        """
        prefixes = {name: f'auxiliary_head.{name}.' for name in self.auxiliary_head}
        prefixes['decode_head'] = 'decode_head.'
        return [
            prefixes[name] + own
            for name, head in self.heads.items()
            for own in head.new_parameter_names()
        ]

    def adapt_previous(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the previous step's weights under the names that they have in this network.

        Called before the previous step is loaded into the student, and wherever old weights
        are compared with the student's.  A network whose structure changes from step to step
        overrides this method; here nothing changes.  The teacher has the structure that was
        saved, so it is loaded as it is.

        Args:
            state: The previous step's ``state_dict``, a dict to change; its tensors are shared
                and are not to be written to.
        """
        return state

    def init_weights(self) -> None:
        """Load pretrained weights of the backbone if its config asks for them."""
        if hasattr(self.backbone, 'init_weights'):
            self.backbone.init_weights()

    def extract(
        self, inputs: Tensor, auxiliary: bool = True, intermediate: bool = False
    ) -> NetworkOutputs:
        """Return the backbone's maps and the heads' logits at their own resolution, from one pass.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``; they are cast to the parameters' dtype.
            auxiliary: Whether the auxiliary heads run too.
            intermediate: Whether the result has ``stages`` and ``head_features``.

        Raises:
            InvalidInputError: If the backbone does not hand out its stages, or its maps are not as
                it says.
        """
        inputs = inputs.to(next(self.parameters()).dtype).contiguous(
            memory_format=self.memory_format
        )
        size = (inputs.shape[-2], inputs.shape[-1])
        heads = self.heads if auxiliary else {'decode_head': self.heads['decode_head']}
        if not intermediate:
            maps = check_maps(self.backbone, self.backbone(inputs), 'out_channels')
            return NetworkOutputs(maps, {name: head(maps) for name, head in heads.items()}, size)
        if not hands_out_stages(self.backbone):
            raise InvalidInputError(f'the method reads {no_stages(self.backbone)}')
        maps, stages = check_pair(self.backbone, self.backbone(inputs, stages=True))
        pairs = {name: head(maps, keep_features=True) for name, head in heads.items()}
        logits, features = ({name: pair[i] for name, pair in pairs.items()} for i in (0, 1))
        return NetworkOutputs(maps, logits, size, stages, features)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
        mode: str = 'tensor',
        labels: Tensor | None = None,
    ) -> Any:
        """Run the network in one of mmengine's modes.

        Args:
            inputs: Images ``(N, 3, H, W)`` from the preprocessor.
            data_samples: One for each image; ``'loss'`` needs them.
            mode: ``'loss'``: :meth:`loss`; ``'predict'``: :meth:`predict`; ``'tensor'``: logits
                ``(N, C, h, w)`` of the principal head.
            labels: Train ids ``(N, H, W)`` for ``'loss'``; by default the samples' ``gt_sem_seg``.

        Raises:
            ValueError: There is no such mode.
        """
        if mode == 'loss':
            assert data_samples is not None
            if labels is None:
                labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples])
            head = self.heads['decode_head']
            hidden = hidden_rows(data_samples, head.num_old, sum(self.outputs_per_step))
            if hidden is None:
                return self.loss(inputs, labels)
            return self.loss(inputs, labels, hidden)  # on the CPU: read without a wait
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self._logits(inputs)
        raise expected('mode', mode, any_of(('loss', 'predict', 'tensor')))

    def loss(
        self, inputs: Tensor, labels: Tensor, hidden: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the losses of a batch by name, scalars.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.
            labels: ``(N, H, W)`` of train ids.
            hidden: Bool ``(N, C)``, True for classes that label 0 of an image may show besides
                the background; None where these are the old classes.
        """
        return self.segmentation_losses(self.extract(inputs), labels, hidden)

    def segmentation_losses(
        self, outputs: NetworkOutputs, labels: Tensor, hidden: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the weighted loss of each head as ``'<head>.loss'``, scalars.

        Args:
            outputs: Outputs of this network.
            labels, hidden: Train ids ``(N, H, W)``; bool ``(N, C)`` or None, as for :meth:`loss`.
        """
        return {
            f'{name}.loss': self.head_loss(name, outputs, labels, hidden=hidden)
            for name in self.heads
        }

    def head_loss(
        self,
        name: str,
        outputs: NetworkOutputs,
        labels: Tensor,
        image_weight: Tensor | None = None,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """Return the weighted loss of one head, a scalar.

        Args:
            name: The head's name.
            outputs: Outputs of this network.
            labels: ``(N, H, W)`` of train ids.
            image_weight: ``(N,)``, a factor on each image's loss, or None.
            hidden: Bool ``(N, C)`` or None, as for :meth:`loss`.
        """
        head = self.heads[name]
        low = getattr(head.loss_decode, 'low_resolution', False)
        logits = outputs.logits[name] if low else outputs.full_size(name)
        loss = loss_with_hidden(
            head.loss_decode,
            logits,
            labels,
            num_old=head.num_old,
            ignore_index=VOID,
            image_weight=image_weight,
            hidden=hidden,
        )
        return self.head_weight(name) * loss

    def head_weight(self, name: str) -> float:
        """Return the factor on a head's loss: 1, or ``auxiliary_weight`` for an auxiliary head."""
        return 1.0 if name == 'decode_head' else self.auxiliary_weight

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Return the samples with ``pred_sem_seg``, train ids ``(1, H, W)``, uint8.

        Each prediction has its sample's ``ori_shape`` (the label's own size)
        and does not depend on the other images of the batch.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``, maybe padded.
            data_samples: One per image, with ``img_shape`` (without padding) and
                ``ori_shape`` where these differ from the input's size.  They are changed and
                returned.  None makes new ones.
        """
        decide = self.heads['decode_head'].own_decision
        return predict_whole(self._logits, decide, inputs, data_samples)

    def test_step(self, data: Any) -> list[SegDataSample]:
        """Return the samples of a loader's batch with ``pred_sem_seg``, by :attr:`prediction`."""
        if self.prediction is None:
            return super().test_step(data)  # type: ignore[return-value]
        return predict_batch(self, data, self.prediction)

    def _logits(self, inputs: Tensor) -> Tensor:
        return self.extract(inputs, auxiliary=False).logits['decode_head']


def without_labels(forward: Callable) -> Callable:
    """Return a ``forward`` that ignores the argument ``labels``.

    Args:
        forward: The method of a class of incseg 0.1, which takes the labels from the samples.
    """

    @functools.wraps(forward)
    def wrapped(self: EncoderDecoder, *args: Any, labels: Tensor | None = None, **kwargs: Any):
        return forward(self, *args, **kwargs)

    return wrapped
