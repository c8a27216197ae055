"""The images that a replay memory keeps, and their labels when they are replayed."""

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
    """Keep a uniform sample of all images seen so far: the candidates of lowest rank.

    An image that was dropped at an earlier step has a high rank and would be dropped now too.
    So every image has the same chance, whatever its step.

    Args:
        ranks: Int64 ``(candidates,)``: positions in one random order of all images, which is the
            same at every step.
        presence: Bool ``(candidates, classes)``: whether the class is annotated in the candidate;
            not used here.
        size: Number of images to keep, at most.
        generator: Source of other random choices; not used here.

    Returns:
        Positions among the candidates, int64 ``(min(size, candidates),)``, sorted.
    """
    return np.sort(np.argsort(ranks)[:size])


def class_balanced_exemplars(
    ranks: Indices, presence: Presence, size: int, generator: np.random.Generator
) -> Indices:
    """Keep the same number of images for every class, as far as there are enough.

    The classes choose one image each, one class after the other in a random order that is then
    repeated, until ``size`` images are chosen or none is left.  A class chooses the image of
    lowest rank among those that show it and are not chosen yet.

    Args:
        ranks, presence, size: As for :func:`random_exemplars`; here all are used.
        generator: Draws the order of the classes.

    Returns:
        Positions among the candidates, int64 ``(n,)``, ``n <= size``, sorted.

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
    """Return the table from dataset id to train id for an exemplar, replayed at step ``k``.

    * ``'seen'``: every class seen so far becomes its train id, future classes background.
    * ``'own_step'``: the classes that were annotated when the image was trained on become their
      train id.  All other pixels, those of the background too, become void (255).

    Args:
        protocol: The protocol.
        k: The step that replays the image, from 0.
        steps: The steps that have the image among their training images; only ``'own_step'``
            reads them.
        labels: One of ``LABELS``.
        void_as_background: Whether void becomes background (0) instead of 255; ignored with
            ``'own_step'``.

    Returns:
        uint8 ``(256,)``.
    """
    if labels == 'seen':
        all_annotated = Protocol(
            protocol.num_classes,
            protocol.base,
            protocol.increment,
            'sequential',
            protocol.class_order,
        )
        return all_annotated.train_lut(k, void_as_background)
    lut = np.full(256, VOID, np.uint8)
    for step in steps:
        step_lut = protocol.train_lut(step)
        annotated = (step_lut != 0) & (step_lut != VOID)
        lut[annotated] = step_lut[annotated]
    return lut
