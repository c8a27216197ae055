"""A plan: the classes, the source, the images and the labels of every step, by names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from incseg.constants import MAX_CLASSES, VOID
from incseg.errors import InvalidInputError
from incseg.protocols.partition import drawn_classes
from incseg.protocols.protocol import Protocol, check_presence
from incseg.utils.rules import any_of, expected, whole_number

#: which images of its source a step may use, see :class:`Step`
IMAGES = ('overlap', 'disjoint', 'all', 'partitioned')


@dataclass(frozen=True)
class Source:
    """Images and their labels, of which only the names matter here.

    Args:
        name: The name of the source; two sources of one name are one.
        annotates: Names of the classes that its labels show wherever they occur.  The position
            in the list, from 1, is the dataset id.
    """

    name: str
    annotates: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One step of a :class:`StepPlan`.

    Args:
        name: The name of the step.
        new: Names of the classes that it learns, one or more, in the order of their outputs.
        source: Where its images and labels come from; it annotates every new class.
        old_labels: Whether old classes that the source annotates keep their label; else they are
            background.
        images: ``'overlap'``: every image with a new class; ``'disjoint'``: of these, the images
            without a class of a later step; ``'all'``: every image, also those without a new
            class; ``'partitioned'``: images whose class, drawn among those that they show, is new
            (:func:`~incseg.protocols.partition.drawn_classes`).

    Raises:
        InvalidInputError: No or unknown new classes, or no such choice of images.
    """

    name: str
    new: tuple[str, ...]
    source: Source
    old_labels: bool = False
    images: str = 'overlap'

    def __post_init__(self) -> None:
        object.__setattr__(self, 'new', tuple(self.new))
        if not self.new:
            raise expected(f'classes of step {self.name!r}', [], 'one or more names')
        for each in self.new:
            if each not in self.source.annotates:
                raise expected(
                    f'a class of step {self.name!r}', each, any_of(self.source.annotates)
                )
        if self.images not in IMAGES:
            raise expected(f'images of step {self.name!r}', self.images, any_of(IMAGES))


class StepPlan:
    """The steps in which a network learns classes, each from a source of its own or from one.

    A class is its name.  Its *train id* is its position in ``[background] + classes in learning
    order``, from 1.  A *dataset id* is the position of a class in the list of one source.

    A pixel of label 0 shows the background, or a class that is *hidden*: a known class that is
    not labelled at the step.  What is labelled are the new classes, and with ``old_labels`` the
    old classes that the source annotates.

    In all methods ``k`` is the number of a step, from 0.

    Args:
        steps: The steps, one or more.

    Raises:
        InvalidInputError: There is no step, a class is learned twice, two steps have one name,
            or there are more classes than label maps can number.
    """

    def __init__(self, steps: Iterable[Step]):
        self.steps = tuple(steps)
        if not self.steps:
            raise expected('steps of a plan', [], 'one or more')
        taught: dict[str, str] = {}
        names: set[str] = set()
        for step in self.steps:
            if step.name in names:
                raise InvalidInputError(f'two steps have the name {step.name!r}, expected one')
            names.add(step.name)
            for each in step.new:
                if each in taught:
                    raise InvalidInputError(
                        f'step {step.name!r} learns {each!r}, which step {taught[each]!r} learns; '
                        'expected each class once'
                    )
                taught[each] = step.name
        #: names of all classes in learning order, without background
        self.classes = tuple(taught)
        whole_number('number of classes', len(self.classes), 1, MAX_CLASSES, ' (uint8 labels)')

    @classmethod
    def of(cls, protocol: Protocol, names: Sequence[str]) -> 'StepPlan':
        """Return the plan of a protocol, whose steps share one source.

        Args:
            protocol: The protocol, which cuts one data set.
            names: Names of the data set's classes, by dataset id from 1.
        """
        source = Source('data', tuple(names))
        images = dict(sequential='disjoint').get(protocol.setting, protocol.setting)
        labelled = protocol.setting == 'sequential'
        return cls(
            Step(f'step_{k}', tuple(names[i - 1] for i in new), source, labelled, images)
            for k, new in enumerate(protocol.steps)
        )

    def append(self, step: Step) -> 'StepPlan':
        """Return a plan with one more step."""
        return StepPlan([*self.steps, step])

    def fits(self, other: 'StepPlan') -> bool:
        """Say whether a network of all steps of this plan serves the other, which may have more.

        It does if the steps learn the same classes in the same order.
        """
        ours, theirs = ([step.new for step in plan.steps] for plan in (self, other))
        return ours == theirs[: len(ours)]

    @property
    def num_steps(self) -> int:
        """The number of steps."""
        return len(self.steps)

    def new(self, k: int) -> tuple[str, ...]:
        """Return the names of the classes that step ``k`` learns."""
        return self.steps[self._step(k)].new

    def old(self, k: int) -> tuple[str, ...]:
        """Return the names of the classes of all earlier steps, in learning order."""
        return tuple(name for step in self.steps[: self._step(k)] for name in step.new)

    def seen(self, k: int) -> tuple[str, ...]:
        """Return the names of the classes learned up to and including step ``k``."""
        return self.old(k) + self.new(k)

    def hidden(self, k: int, source: Source | None = None) -> tuple[str, ...]:
        """Return the known classes that may be anywhere in the label 0, in learning order.

        Args:
            k: The step.
            source: None for the images of the step; else the source of images that are shown
                again at the step, with all labels that it has.
        """
        labelled = self._labelled(k, source)
        return tuple(name for name in self.seen(k) if name not in labelled)

    def train_ids(self, names: Iterable[str]) -> tuple[int, ...]:
        """Return the train ids of classes, by name."""
        return tuple(1 + self.classes.index(name) for name in names)

    def outputs_per_step(self, k: int) -> tuple[int, ...]:
        """Return how many outputs the classifier gets at each of the steps 0..``k``.

        There is one per new class, and at step 0 one more for the background.
        """
        sizes = [len(step.new) for step in self.steps[: self._step(k) + 1]]
        return (1 + sizes[0], *sizes[1:])

    def train_lut(
        self, k: int, void_as_background: bool = False, source: Source | None = None
    ) -> npt.NDArray[np.uint8]:
        """Return the table from dataset id to train id for training images of step ``k``.

        Labelled classes become their train id, void and foreign ids 255, all else 0.

        Args:
            k: The step.
            void_as_background: Whether void becomes 0 too.
            source: As for :meth:`hidden`.

        Returns:
            uint8 ``(256,)``, by dataset id of the step's source, or of ``source``.
        """
        annotates = (source or self.steps[self._step(k)].source).annotates
        lut = self._lut(annotates, self._labelled(k, source), unlabelled=0)
        if void_as_background:
            lut[VOID] = 0
        return lut

    def eval_lut(self, k: int, annotates: Sequence[str] | None = None) -> npt.NDArray[np.uint8]:
        """Return the table from dataset id to train id for test images after step ``k``.

        Known classes become their train id, the background 0.  Classes that are not learned yet,
        void and foreign ids become 255.

        Args:
            k: The step.
            annotates: Names of the classes of the test images, by dataset id from 1; None for
                those of the step's own source.

        Returns:
            uint8 ``(256,)``.
        """
        if annotates is None:
            annotates = self.steps[self._step(k)].source.annotates
        return self._lut(annotates, self.seen(k), unlabelled=VOID)

    def select(self, presence: npt.NDArray[np.bool_], k: int) -> npt.NDArray[np.int64]:
        """Select the training images of step ``k`` among those of its source.

        Args:
            presence: Bool ``(images, C + 1)``: whether the image shows the dataset id of the
                column.  The background's column is ignored.
            k: The step.

        Returns:
            Row numbers of the images, int64 ``(n,)``, sorted; empty if no image qualifies.

        Raises:
            InvalidInputError: ``presence`` has another shape or dtype.
        """
        step = self.steps[self._step(k)]
        check_presence(presence, len(step.source.annotates))
        new = self.dataset_ids(k, step.new)
        if step.images == 'all':
            return np.arange(len(presence), dtype=np.int64)
        if step.images == 'partitioned':
            return np.flatnonzero(np.isin(drawn_classes(presence), new)).astype(np.int64)
        chosen = presence[:, new].any(axis=1)
        if step.images == 'disjoint':
            future = self.dataset_ids(k, self.classes[len(self.seen(k)) :])
            chosen &= ~presence[:, future].any(axis=1)
        return np.flatnonzero(chosen).astype(np.int64)

    def dataset_ids(self, k: int, names: Iterable[str]) -> list[int]:
        """Return the dataset ids of classes in the source of step ``k``; others are left out."""
        annotates = self.steps[self._step(k)].source.annotates
        return [1 + annotates.index(name) for name in names if name in annotates]

    def _labelled(self, k: int, source: Source | None) -> tuple[str, ...]:
        step = self.steps[self._step(k)]
        if source is None and not step.old_labels:
            return step.new
        annotates = (source or step.source).annotates
        return tuple(name for name in self.seen(k) if name in annotates)

    def _lut(
        self, annotates: Sequence[str], labelled: Sequence[str], unlabelled: int
    ) -> npt.NDArray[np.uint8]:
        lut = np.full(256, VOID, np.uint8)
        lut[0] = 0
        for dataset_id, name in enumerate(annotates, 1):
            lut[dataset_id] = 1 + self.classes.index(name) if name in labelled else unlabelled
        return lut

    def _step(self, k: int) -> int:
        return whole_number('step of the plan', k, 0, self.num_steps - 1)

    def __repr__(self) -> str:
        steps = ', '.join(f'{step.name}: {", ".join(step.new)}' for step in self.steps)
        return f'{type(self).__name__}({steps})'
