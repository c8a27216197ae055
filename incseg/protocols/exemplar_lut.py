"""What is annotated in an image of a replay memory."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from incseg.protocols.protocol import VOID, Protocol

LABELS = ('seen', 'own_step')


def exemplar_lut(
    protocol: Protocol,
    k: int,
    steps: Iterable[int],
    labels: str,
    void_as_background: bool = False,
) -> npt.NDArray[np.uint8]:
    """Table from dataset id to train id for an image of earlier steps, replayed at step ``k``.

    * ``'seen'``: every class seen so far has its train id, future classes are background.
    * ``'own_step'``: the classes that were annotated when the image was trained on have their
      train id.  All else, background too, is void: what it is was never told.

    Args:
        protocol: The protocol.
        k: The step at which the image is shown.
        steps: The steps whose data the image was, or is, part of.
        labels: One of ``LABELS``.
        void_as_background: See :meth:`Protocol.train_lut`; of no account with ``'own_step'``.

    Returns:
        uint8 ``(256,)``.
    """
    if labels == 'seen':
        annotated = Protocol(
            protocol.num_classes, protocol.base, protocol.increment, 'sequential',
            protocol.class_order,
        )
        return annotated.train_lut(k, void_as_background)
    lut = np.full(256, VOID, np.uint8)
    for step in steps:
        told = protocol.train_lut(step)
        known = (told != 0) & (told != VOID)
        lut[known] = told[known]
    return lut
