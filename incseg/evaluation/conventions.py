"""The three ways in which papers average the classes' IoUs.

They differ only in where the background counts.
"""

from collections.abc import Iterable, Mapping, Sequence

#: convention -> (background in ``base``, background in ``all``)
CONVENTIONS = {
    'mib': (False, False),
    'plop': (True, True),
    'wilson': (False, True),
}

Means = dict[str, float | None]


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are not None; None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def convention_means(
    iou: Mapping[str, float | None], base: Sequence[str], added: Sequence[str]
) -> dict[str, Means]:
    """Return the mean IoU of base, added and all classes in every convention.

    Args:
        iou: Percent per class name, background first, then the seen classes; None for a
            class without ground truth, which enters no mean.
        base: Names of the classes of step 0.
        added: Names of the classes of all later steps; classes that are not in
            ``iou`` are not learned yet and do not count.

    Returns:
        ``{'mib': {'base', 'added', 'all'}, 'plop': …, 'wilson': …}`` in
        percent; ``added`` is None while nothing was added.
    """
    background = next(iter(iou))
    old = [iou[name] for name in base if name in iou]
    new = [iou[name] for name in added if name in iou]
    result: dict[str, Means] = {}
    for convention, (in_base, in_all) in CONVENTIONS.items():
        extra = [iou[background]]
        result[convention] = {
            'base': mean(extra * in_base + old),
            'added': mean(new),
            'all': mean(extra * in_all + old + new),
        }
    return result


def forgetting(
    history: Sequence[Mapping[str, float | None]],
    now: Mapping[str, float | None],
    old: Sequence[str],
) -> float | None:
    """Return how much IoU the old classes have lost on average, in percentage points.

    The loss of a class is its best IoU at any earlier step minus its IoU now.

    Args:
        history: IoU by class name at each earlier step, in percent.
        now: IoU by class name at this step, in percent.
        old: Names of the classes of earlier steps.

    Returns:
        None if no old class has ground truth, or if there is none, as at step 0.
    """
    drops: list[float | None] = []
    for name in old:
        past = [iou[name] for iou in history if iou.get(name) is not None]
        current = now[name]
        if past and current is not None:
            drops.append(max(value for value in past if value is not None) - current)
    return mean(drops)
