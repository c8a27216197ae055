"""The network of an incremental step: student, teacher and the parts of the method."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.modules.dropout import _DropoutNd

from incseg.constants import VOID
from incseg.models.distillation import SoftLabelDistillation
from incseg.models.distillation.logits import losses_in_one_pass, shares_a_pass
from incseg.models.segmentors.encoder_decoder import EncoderDecoder
from incseg.models.segmentors.frozen_parts import FrozenParts
from incseg.models.segmentors.hidden_classes import kept_labels
from incseg.models.segmentors.method_parts import build_terms, complete_labeller
from incseg.models.segmentors.step_losses import weak_losses
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs, SegDataSample
from incseg.utils.rules import SWITCH, checked


@MODELS.register_module()
class IncrementalSegmentor(EncoderDecoder):
    """A network that learns new classes while a frozen teacher keeps the old ones.

    The teacher is not a sub-module: it is in no ``state_dict``, optimiser or
    DDP bucket, and :meth:`train` does not reach it.

    Args:
        backbone: Config of the backbone.
        decode_head: Config of the principal head.
        outputs_per_step: Classes of each step so far; the first number includes the
            background.
        kwargs: The other arguments of :class:`EncoderDecoder`, such as ``auxiliary_head``.
        distillation: Configs of the distillation terms by name; None for no terms.
        target_labeller: Config of a :class:`BaseLabeller`, which replaces labels inside a
            training step, or None.
        frozen: Names of the parts that are not trained, such as ``'backbone'``; see
            :class:`FrozenParts`.
        dropout: Whether dropout is active in the training of later steps.  At step 0 it always
            is.  It makes a student with the teacher's weights differ from the teacher.

    Attributes:
        teacher: The frozen network of the previous step, or None.

    Raises:
        InvalidInputError: If an argument of a part is not allowed.
    """

    def __init__(
        self,
        backbone: dict,
        decode_head: dict,
        outputs_per_step: Sequence[int],
        distillation: Mapping[str, dict | None] | None = None,
        target_labeller: dict | None = None,
        frozen: Sequence[str] = (),
        dropout: bool = False,
        **kwargs: Any,
    ):
        super().__init__(backbone, decode_head, outputs_per_step, **kwargs)
        self.distillation = build_terms(distillation)
        self.target_labeller: Any = MODELS.build(target_labeller) if target_labeller else None
        self.teacher: EncoderDecoder | None = None
        self.drops = checked('dropout', dropout, SWITCH) or len(self.outputs_per_step) == 1
        self.frozen = FrozenParts(frozen)
        self.frozen.freeze(self)
        if self.target_labeller is not None:
            self.target_labeller.build_for(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == 'teacher':  # past nn.Module's registration of sub-modules
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(
                name, complete_labeller(value) if name == 'target_labeller' else value
            )

    def train(self, mode: bool = True) -> 'IncrementalSegmentor':
        """Set the training mode; frozen parts, and dropout that is off, stay in evaluation mode."""
        super().train(mode)
        self.frozen.hold(self)
        if not self.drops:
            for module in self.modules():
                if isinstance(module, _DropoutNd):
                    module.eval()
        return self

    @property
    def needs_teacher(self) -> bool:
        """Whether there are distillation terms or a labeller, which read the teacher."""
        return len(self.distillation) > 0 or self.target_labeller is not None

    def set_teacher(self, teacher: EncoderDecoder | None) -> None:
        """Take a network as the teacher.

        Args:
            teacher: The network of the previous step, which is frozen in place; None removes the
                teacher.
        """
        self.teacher = teacher.eval().requires_grad_(False) if teacher is not None else None

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
        mode: str = 'tensor',
        labels: Tensor | None = None,
    ) -> Any:
        """Run the network in one of mmengine's modes.

        With a labeller that takes image-level labels, training samples have
        ``gt_image_labels`` instead of masks.

        Args:
            inputs: Images ``(N, 3, H, W)`` from the preprocessor.
            data_samples: One for each image; ``'loss'`` needs them.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``, as in :meth:`EncoderDecoder.forward`.
            labels: Train ids ``(N, H, W)`` for ``'loss'``; None takes the samples' own.
        """
        labeller = self.target_labeller
        if mode == 'loss' and labeller is not None and labeller.takes_image_labels:
            assert data_samples is not None
            return weak_losses(
                self, inputs, torch.stack([sample.gt_image_labels for sample in data_samples])
            )
        return super().forward(inputs, data_samples, mode, labels)

    def loss(
        self, inputs: Tensor, labels: Tensor, hidden: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the losses of a batch by name, scalars.

        A labeller replaces label 0 alone, by classes that it may hide.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.
            labels: ``(N, H, W)`` of train ids.
            hidden: Bool ``(N, C)``, True for classes that label 0 of an image may show besides
                the background; None where these are the old classes.

        Returns:
            ``'<head>.loss'`` and ``'distillation.<name>.loss'``.
        """
        student = self.extract(inputs, intermediate='intermediate' in self.reads)
        if not self.needs_teacher:
            return self.segmentation_losses(student, labels, hidden)
        teacher = self.run_teacher(inputs)
        image_weight = None
        if self.target_labeller is not None:
            labels, image_weight = self._relabelled(labels, student, teacher, hidden)
        losses, terms = {}, {}
        for name in self.heads:
            term = self._term_in_one_pass(name) if hidden is None else None
            if term is None:
                losses[f'{name}.loss'] = self.head_loss(name, student, labels, image_weight, hidden)
            else:
                losses[f'{name}.loss'], terms[term] = self._in_one_pass(
                    name, term, student, teacher, labels, image_weight
                )
        for term, compare in self.distillation.items():
            losses[f'distillation.{term}.loss'] = (
                terms[term] if term in terms else compare(student, teacher)
            )
        return losses

    def _relabelled(
        self,
        labels: Tensor,
        student: NetworkOutputs,
        teacher: NetworkOutputs,
        hidden: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the labels that the labeller makes, ``(N, H, W)``, and its image weights.

        Images that hide nothing keep their labels and get the weight 1.  The weights are ``(N,)``,
        or None if the labeller has none.
        """
        result = self.target_labeller(labels, student, teacher)  # type: ignore[misc]
        replaced, weight = result if isinstance(result, tuple) else (result, None)
        if hidden is not None:
            num_old = self.heads['decode_head'].num_old
            replaced = kept_labels(labels, replaced, hidden, num_old, VOID)
            some = hidden.any(1).to(labels.device, non_blocking=True)
            weight = weight.where(some, 1) if weight is not None else None
        return replaced, weight

    def _term_in_one_pass(self, head: str) -> str | None:
        """Return the name of the distillation term that is computed together with a head's loss.

        None if there is no such term.
        """
        for name, term in self.distillation.items():
            if shares_a_pass(self.heads[head].loss_decode, term) and term.source == head:
                return name
        return None

    def _in_one_pass(
        self,
        name: str,
        term: str,
        student: NetworkOutputs,
        teacher: NetworkOutputs,
        labels: Tensor,
        image_weight: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the weighted loss of head ``name`` and its weighted term ``term``, two scalars.

        Both come from one pass over the head's logits, see :func:`losses_in_one_pass`.
        """
        head, compare = self.heads[name], cast(SoftLabelDistillation, self.distillation[term])
        loss, distilled = losses_in_one_pass(
            head.loss_decode,
            compare,
            student.logits[name],
            teacher.logits[name],
            labels,
            num_old=head.num_old,
            ignore_index=VOID,
            image_weight=image_weight,
        )
        return self.head_weight(name) * loss, distilled

    def run_teacher(self, inputs: Tensor) -> NetworkOutputs:
        """Return the teacher's outputs on the student's input tensor, without gradient.

        Features are left out where no part of the method reads them.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.

        Raises:
            RuntimeError: If there is no teacher.
        """
        if self.teacher is None:
            raise RuntimeError('the method needs a teacher, but set_teacher() was not called')
        sources = {part.source for part in self._method_parts()}
        auxiliary = sources != {'decode_head'}
        reads = self.reads
        with torch.inference_mode():
            outputs = self.teacher.extract(inputs, auxiliary, 'intermediate' in reads)
        # copies, because tensors of inference mode cannot be saved for a backward pass
        return NetworkOutputs(
            tuple(x.clone() for x in outputs.features) if 'features' in reads else (),
            {name: x.clone() for name, x in outputs.logits.items()},
            outputs.size,
            tuple(x.clone() for x in outputs.stages),
            {name: x.clone() for name, x in outputs.head_features.items()},
        )

    @property
    def reads(self) -> frozenset[str]:
        """The parts of :class:`NetworkOutputs` besides logits that the method reads.

        A set of ``'features'`` and ``'intermediate'`` (stages and head features); empty for
        logits alone.
        """
        return frozenset().union(*(part.reads for part in self._method_parts()))

    def _method_parts(self) -> list[Any]:
        """Return the distillation terms and, if there is one, the target labeller."""
        labeller = [] if self.target_labeller is None else [self.target_labeller]
        return [*self.distillation.values(), *labeller]
