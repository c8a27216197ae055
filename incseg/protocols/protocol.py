"""A protocol: the classes, the images and the labels of every step."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from incseg.constants import MAX_CLASSES, VOID
from incseg.protocols.partition import drawn_classes
from incseg.utils.rules import any_of, expected, permutation, whole_number

SETTINGS = ('overlap', 'disjoint', 'sequential', 'partitioned')


@dataclass(frozen=True, init=False, repr=False)
class Protocol:
    """The division of a data set into incremental steps.

    Step 0 learns the first ``base`` classes of the order, every later step the next
    ``increment`` classes, and the last step the classes that are left.  The background belongs
    to no step.

    The setting says which images step *t* may use, and which classes are annotated in them:

    * ``overlap``: every image with a pixel of a new class.  It may also show old and future
      classes; they are annotated as background (MiB).
    * ``disjoint``: every image with a pixel of a new class and no pixel of a future class, so
      that an image belongs to exactly one step.  It may also show old classes; they are
      annotated as background (MiB).
    * ``sequential``: the images of ``disjoint``.  Old classes keep their annotation (ILT).
    * ``partitioned``: every image with a class belongs to exactly one step, that of a class
      drawn among those in it (:func:`drawn_classes`).  It may also show old and future
      classes; they are annotated as background (Kwak et al.).

    *Background* therefore means something different at every step: at step *t* it contains the
    old classes, which the network already knows, and the future classes, which it learns later.
    MiB calls this the **background shift**.

    Two protocols are equal if all five arguments are equal; ``class_order=None`` equals the
    order 1..C, and the increment of a protocol with one step is 0.

    Args:
        num_classes: C, the data set's classes without background, 1 to 254.
        base: Number of classes of step 0, 1 to C.
        increment: Number of classes of every later step; ignored if ``base`` is C.
        setting: ``'overlap'``, ``'disjoint'``, ``'sequential'`` or ``'partitioned'``.
        class_order: The dataset ids in learning order, a permutation of 1..C.  Default 1..C.

    Raises:
        InvalidInputError: An argument is out of range.

    Source: MiB (Cermelli et al., CVPR 2020); ILT (Michieli and Zanuttigh, ICCV Workshops 2019);
    Kwak et al., arXiv 2405.09858.

    Example:
        >>> Protocol.parse('15-2', num_classes=20).steps[1:]
        ((16, 17), (18, 19), (20,))
    """

    num_classes: int
    base: int
    increment: int
    setting: str
    class_order: tuple[int, ...]

    def __init__(
        self,
        num_classes: int,
        base: int,
        increment: int,
        setting: str = 'overlap',
        class_order: Sequence[int] | None = None,
    ) -> None:
        total = whole_number(
            'num_classes', num_classes, 1, MAX_CLASSES, ' (uint8 masks, 255 is void)'
        )
        base = whole_number('base', base, 1, total, ' (num_classes)')
        increment = whole_number('increment', increment, 0 if base == total else 1)
        if setting not in SETTINGS:
            raise expected('setting', setting, any_of(SETTINGS))
        order = range(1, total + 1) if class_order is None else class_order
        values = {
            'num_classes': total,
            'base': base,
            'increment': 0 if base == total else increment,
            'setting': setting,
            'class_order': permutation('class_order', order, total),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def parse(
        cls,
        name: str,
        num_classes: int,
        setting: str = 'overlap',
        class_order: Sequence[int] | None = None,
    ) -> 'Protocol':
        """Make a protocol from its :attr:`name`: ``'15-1'``, or ``'offline'`` for one step.

        Args:
            name: ``'<base>-<increment>'`` or ``'offline'``.
            num_classes, setting, class_order: As for :class:`Protocol`.

        Raises:
            InvalidInputError: The name has another form, or an argument is out of range.
        """
        if name == 'offline':
            return cls(num_classes, num_classes, 0, setting, class_order)
        match = re.fullmatch('([0-9]{1,9})-([0-9]{1,9})', name) if isinstance(name, str) else None
        if match is None:
            form = "'<base>-<increment>', such as '15-1', or 'offline'"
            raise expected('protocol', name, f'{form}{_how_to_write(name)}')
        return cls(num_classes, int(match[1]), int(match[2]), setting, class_order)

    @cached_property
    def steps(self) -> tuple[tuple[int, ...], ...]:
        """The dataset ids that each step learns, one tuple per step, in learning order."""
        starts = [0]
        if self.increment:
            starts += range(self.base, self.num_classes, self.increment)
        return tuple(
            self.class_order[start:stop]
            for start, stop in zip(starts, [*starts[1:], self.num_classes], strict=True)
        )

    @property
    def num_steps(self) -> int:
        """Number of steps, the base step included."""
        return len(self.steps)

    @property
    def remainder(self) -> int:
        """Number of classes of the last step if it has fewer than ``increment``, else 0."""
        return (self.num_classes - self.base) % self.increment if self.increment else 0

    @property
    def name(self) -> str:
        """The name for :meth:`parse`: ``'<base>-<increment>'``, or ``'offline'`` for one step."""
        return f'{self.base}-{self.increment}' if self.increment else 'offline'

    @property
    def base_classes(self) -> tuple[int, ...]:
        """Dataset ids that step 0 learns."""
        return self.class_order[: self.base]

    @property
    def added_classes(self) -> tuple[int, ...]:
        """Dataset ids that all later steps learn, in learning order; empty if there is one step."""
        return self.class_order[self.base :]

    def new(self, k: int) -> tuple[int, ...]:
        """Return the dataset ids that step ``k`` learns."""
        return self.steps[self._step(k)]

    def old(self, k: int) -> tuple[int, ...]:
        """Return the dataset ids learnt before step ``k``, in learning order; none for step 0."""
        return self.class_order[: self._bounds(k)[0]]

    def seen(self, k: int) -> tuple[int, ...]:
        """Return the dataset ids learnt up to and including step ``k``: old, then new."""
        return self.class_order[: self._bounds(k)[1]]

    def future(self, k: int) -> tuple[int, ...]:
        """Return the dataset ids learnt after step ``k``; none for the last step."""
        return self.class_order[self._bounds(k)[1] :]

    def outputs_per_step(self, k: int) -> tuple[int, ...]:
        """Return how many output channels the classifier gets at each of the steps 0..``k``.

        There is one channel per new class, and at step 0 one more for the background.
        """
        sizes = [len(step) for step in self.steps[: self._step(k) + 1]]
        return (1 + sizes[0], *sizes[1:])

    def select(self, presence: npt.NDArray[np.bool_], k: int) -> npt.NDArray[np.int64]:
        """Select the training images of step ``k``.

        Args:
            presence: Bool ``(images, C + 1)``: whether the image shows the dataset id of the
                column.  The background's column is ignored.
            k: The step, from 0.

        Returns:
            Row numbers of the images, int64 ``(n,)``, sorted; empty if no image qualifies.

        Raises:
            InvalidInputError: ``presence`` has another shape or dtype, or there is no step ``k``.
        """
        new, future = list(self.new(k)), list(self.future(k))
        check_presence(presence, self.num_classes)
        if self.setting == 'partitioned':
            return np.flatnonzero(np.isin(drawn_classes(presence), new)).astype(np.int64)
        chosen = presence[:, new].any(axis=1)
        if self.setting != 'overlap':
            chosen &= ~presence[:, future].any(axis=1)
        return np.flatnonzero(chosen).astype(np.int64)

    def train_lut(self, k: int, void_as_background: bool = False) -> npt.NDArray[np.uint8]:
        """Return the table from dataset id to train id for the training images of step ``k``.

        Train ids number the classes in learning order from 1; 0 is the background.  New classes
        become their train id.  Background, old and future classes become 0; in ``sequential`` old
        classes become their train id.  Void and ids outside the data set become 255.

        Args:
            k: The step, from 0.
            void_as_background: Turn void into 0 too, as MiB's own code does on VOC.

        Returns:
            uint8 ``(256,)``.
        """
        start, stop = self._bounds(k)
        lut = self._lut(0 if self.setting == 'sequential' else start, stop, unlabelled=0)
        if void_as_background:
            lut[VOID] = 0
        return lut

    def eval_lut(self, k: int) -> npt.NDArray[np.uint8]:
        """Return the table from dataset id to train id for the test images after step ``k``.

        Seen classes become their train id, the background 0.  Future classes, void and ids
        outside the data set become 255, so that they are not evaluated.

        Args:
            k: The step, from 0.

        Returns:
            uint8 ``(256,)``.
        """
        return self._lut(0, self._bounds(k)[1], unlabelled=VOID)

    def _lut(self, start: int, stop: int, unlabelled: int) -> npt.NDArray[np.uint8]:
        """Return a table from dataset id to train id, uint8 ``(256,)``.

        The classes ``class_order[start:stop]`` become their train ids, all other classes
        ``unlabelled``, the background 0, void and ids outside the data set 255.
        """
        lut = np.full(256, VOID, np.uint8)
        lut[0] = 0
        lut[1 : self.num_classes + 1] = unlabelled
        lut[list(self.class_order[start:stop])] = np.arange(start + 1, stop + 1)
        return lut

    def _bounds(self, k: int) -> tuple[int, int]:
        """Return ``start, stop``: step ``k`` learns ``class_order[start:stop]``."""
        k = self._step(k)
        start = self.base + (k - 1) * self.increment if k else 0
        return start, start + len(self.steps[k])

    def _step(self, k: int) -> int:
        return whole_number(f'step of protocol {self.name}', k, 0, self.num_steps - 1)

    def __repr__(self) -> str:
        order = ''
        if self.class_order != tuple(range(1, self.num_classes + 1)):
            order = f', class_order={self.class_order}'
        return (
            f'Protocol(num_classes={self.num_classes}, base={self.base}, '
            f'increment={self.increment}, setting={self.setting!r}{order})'
        )


def check_presence(presence: Any, num_classes: int) -> None:
    """Refuse a table of the classes in images that has another shape or dtype.

    Args:
        presence: Bool ``(images, C + 1)``.
        num_classes: C.

    Raises:
        InvalidInputError: Naming both.
    """
    kind = getattr(presence, 'dtype', None)
    shape: tuple[int, ...] = tuple(getattr(presence, 'shape', ()))
    if kind != np.bool_ or len(shape) != 2 or shape[1] != num_classes + 1:
        raise expected(
            'dtype and shape of presence',
            (str(kind or type(presence).__name__), shape),
            f'bool and (images, {num_classes + 1})',
        )


def _how_to_write(name: object) -> str:
    """Return the end of the message about the name of a protocol: what was probably meant."""
    parts = re.fullmatch('([0-9]+)[^0-9]+([0-9]+)', name) if isinstance(name, str) else None
    if parts:
        return f"; did you mean '{parts[1]}-{parts[2]}'?"
    if isinstance(name, int) and not isinstance(name, bool):
        return "; Python reads 3_2 as the number 32: write '3-2'"
    return ''
