"""Which images a replay memory keeps."""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from incseg.constants import VOID
from incseg.protocols.protocol import Protocol

Indices = npt.NDArray[np.int64]
Presence = npt.NDArray[np.bool_]


def random_exemplars(
    ranks: Indices, presence: Presence, size: int, generator: np.random.Generator
) -> Indices:
    """A uniform sample of all images seen so far: the candidates of lowest rank.

    What was dropped at an earlier step would not be kept now either, so an image's chance is the
    same whatever step it came with.

    Args:
        ranks: The candidates' places in one random order of all images, the same at every step.
        presence: Bool ``(images, classes)``: is the class annotated in the candidate?
        size: How many to keep at most.
        generator: For what else is random.

    Returns:
        Positions among the candidates, sorted.
    """
    return np.sort(np.argsort(ranks)[:size])


def class_balanced_exemplars(
    ranks: Indices, presence: Presence, size: int, generator: np.random.Generator
) -> Indices:
    """The same number of images for every class, as far as there are enough.

    The classes, in random order, take turns; each takes the image of lowest rank that shows it and
    that none has taken yet, until ``size`` are taken or no image is left that shows any of them.
    Arguments and result as :func:`random_exemplars`.

    Source: Cha et al., "SSUL", NeurIPS 2021, and its published code.
    """
    order = np.argsort(ranks)
    queues = [
        iter(order[presence[order, column]].tolist())
        for column in generator.permutation(presence.shape[1])
    ]
    taken: set[int] = set()
    while queues and len(taken) < size:
        for queue in list(queues):
            if len(taken) == size:
                break
            image = next((i for i in queue if i not in taken), None)
            if image is None:
                queues.remove(queue)
            else:
                taken.add(image)
    return np.array(sorted(taken), np.int64)


Strategy = Callable[[Indices, Presence, int, np.random.Generator], Indices]

STRATEGIES: dict[str, Strategy] = {
    'random': random_exemplars,
    'class_balanced': class_balanced_exemplars,
}


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
            protocol.num_classes,
            protocol.base,
            protocol.increment,
            'sequential',
            protocol.class_order,
        )
        return annotated.train_lut(k, void_as_background)
    lut = np.full(256, VOID, np.uint8)
    for step in steps:
        told = protocol.train_lut(step)
        known = (told != 0) & (told != VOID)
        lut[known] = told[known]
    return lut
