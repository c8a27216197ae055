"""The tables of a plan, by the dataset ids of one of its sources."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from incseg.constants import VOID
from incseg.protocols import Source, Step, StepPlan
from incseg.registry import TASK_UTILS


@TASK_UTILS.register_module()
class PlannedSteps:
    """The tables of a :class:`StepPlan` as an :class:`IncrementalDataset` reads them.

    Classes are dataset ids here: in training those of the step's own source, in a test those of
    the test images.

    Args:
        steps: The steps of the plan, each a dict with the arguments of :class:`Step`; ``source``
            is a dict with those of :class:`Source`.
        annotates: Names of the classes of the test images, by dataset id from 1; None for those
            of the step's own source.

    Attributes:
        plan: The plan.
    """

    def __init__(
        self, steps: Sequence[Mapping[str, Any]], annotates: Sequence[str] | None = None
    ) -> None:
        self.plan = StepPlan(plan_step(step) for step in steps)
        self.annotates = None if annotates is None else tuple(annotates)

    def new(self, k: int) -> tuple[int, ...]:
        """Return the dataset ids that step ``k`` learns."""
        return self._ids(k, self.plan.new(k))

    def seen(self, k: int) -> tuple[int, ...]:
        """Return the dataset ids learned up to step ``k``, as far as the images annotate them."""
        return self._ids(k, self.plan.seen(k))

    def outputs_per_step(self, k: int) -> tuple[int, ...]:
        """Return the outputs of each step up to ``k``: :meth:`StepPlan.outputs_per_step`."""
        return self.plan.outputs_per_step(k)

    def hidden(self, k: int) -> tuple[int, ...]:
        """Return the train ids that may be anywhere in the label 0 of step ``k``'s images."""
        return self.plan.train_ids(self.plan.hidden(k))

    def select(self, presence: np.ndarray, k: int) -> np.ndarray:
        """Return the indices of the images of step ``k``, see :meth:`StepPlan.select`."""
        return self.plan.select(presence, k)

    def train_lut(self, k: int, void_as_background: bool = False) -> np.ndarray:
        """Return the table of training labels, uint8 ``(256,)``: :meth:`StepPlan.train_lut`."""
        return self.plan.train_lut(k, void_as_background)

    def eval_lut(self, k: int) -> np.ndarray:
        """Return the table of test labels, uint8 ``(256,)``, see :meth:`StepPlan.eval_lut`."""
        return self.plan.eval_lut(k, self.annotates)

    def exemplar(
        self, k: int, steps: Sequence[int], labels: str, void_as_background: bool = False
    ) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return the labels of an image that is shown again at step ``k``.

        Args:
            k: The step that shows it.
            steps: The steps that trained on the image; they share a source.
            labels: ``'seen'``: every known class that the source annotates is labelled;
                ``'own_step'``: the classes that were labelled in these steps, all else is void.
            void_as_background: Whether void becomes background; ignored with ``'own_step'``.

        Returns:
            The table from dataset id of the source to train id, uint8 ``(256,)``, and the train
            ids that its label 0 may hide.
        """
        source = self.plan.steps[steps[0]].source
        if labels == 'seen':
            hidden = self.plan.train_ids(self.plan.hidden(k, source))
            return self.plan.train_lut(k, void_as_background, source), hidden
        lut = np.full(256, VOID, np.uint8)
        for step in steps:
            own = self.plan.train_lut(step)
            labelled = (own != 0) & (own != VOID)
            lut[labelled] = own[labelled]
        return lut, ()

    @property
    def setting(self) -> str:
        """The images of the steps, for messages."""
        return ', '.join(dict.fromkeys(step.images for step in self.plan.steps))

    def _ids(self, k: int, names: Sequence[str]) -> tuple[int, ...]:
        annotates = self.annotates or self.plan.steps[k].source.annotates
        return tuple(1 + annotates.index(name) for name in names if name in annotates)


def plan_step(step: Mapping[str, Any]) -> Step:
    """Return the step of a plan that plain data describe."""
    source = step['source']
    made = Source(source['name'], tuple(source['annotates']))
    return Step(**{**step, 'source': made})


def plain_step(step: Step) -> dict[str, Any]:
    """Return a step of a plan as plain data, the arguments of :func:`plan_step`."""
    source = dict(name=step.source.name, annotates=list(step.source.annotates))
    return dict(
        name=step.name,
        new=list(step.new),
        source=source,
        old_labels=step.old_labels,
        images=step.images,
    )
