import numpy as np

from incseg.errors import InvalidInputError
from incseg.protocols import Protocol

#: whose classes weak supervision sees: those of all steps, or the step's own
SCOPES = ('all', 'step')


def visible_labels(
    labels: np.ndarray, protocol: Protocol, step: int, scope: str = 'step'
) -> np.ndarray:
    """The image-level labels that weak supervision may see at a step.

    Args:
        labels: bool ``(images, C + 1)``, column = dataset id.
        protocol: the protocol.
        step: the step.
        scope: ``'step'``: the step's new classes only, as in WILSON (Cermelli
            et al., CVPR 2022); ``'all'``: every class.

    Returns:
        A copy of ``labels`` in which the other classes are false; the
        background stays.

    Raises:
        InvalidInputError: there is no such scope or step.
    """
    if scope not in SCOPES:
        raise InvalidInputError(f'scope is {scope!r}; allowed are {", ".join(SCOPES)}')
    if scope == 'all':
        return labels.copy()
    visible = np.zeros_like(labels)
    columns = [0, *protocol.new(step)]
    visible[:, columns] = labels[:, columns]
    return visible
