"""Which images a replay memory keeps."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

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
