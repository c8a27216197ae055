"""Which classes the label 0 of an image may hide, and the losses of images that differ in it."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def hidden_rows(samples: Sequence[Any], num_old: int, num_outputs: int) -> Tensor | None:
    """Return which classes the label 0 of each image may hide, by their meta information.

    Args:
        samples: One for each image; ``hidden`` in its meta information lists train ids.  Without
            it the old classes are hidden.
        num_old: Outputs before this step, the background included.
        num_outputs: All outputs, C.

    Returns:
        Bool ``(N, C)`` on the CPU; None where every image hides the old classes and no other.
    """
    usual = {*range(1, num_old)}
    sets = [sample.get('hidden') for sample in samples]
    if all(each is None or {*each} == usual for each in sets):
        return None
    rows = torch.zeros(len(sets), num_outputs, dtype=torch.bool)
    for row, each in zip(rows, sets, strict=True):
        row[list(usual if each is None else each)] = True
    return rows


def groups_of(hidden: Tensor, num_old: int) -> list[tuple[tuple[int, ...], list[int]]]:
    """Return the images that hide the same classes: the train ids, and the images' indices.

    Those that hide the old classes come first, those that hide nothing next.

    Args:
        hidden: Bool ``(N, C)`` on the CPU, see :func:`hidden_rows`.
        num_old: Outputs before this step, the background included.
    """
    found: dict[tuple[int, ...], list[int]] = {tuple(range(1, num_old)): [], (): []}
    for i, row in enumerate(hidden):
        found.setdefault(tuple(row.nonzero().flatten().tolist()), []).append(i)
    return [(ids, images) for ids, images in found.items() if images]


def options_of(criterion: Any, ids: tuple[int, ...], num_old: int) -> dict[str, Any]:
    """Return the arguments that tell a loss which classes the label 0 of its images may hide.

    Args:
        criterion: The loss.
        ids: Train ids of the hidden classes.
        num_old: Outputs before this step, the background included.

    Returns:
        ``hidden`` for a loss with that keyword.  For another one ``num_old``: the step's own
        where all old classes are hidden, 1 where none is.

    Raises:
        ValueError: The loss has no such keyword, and some classes are hidden and others not.
    """
    if takes_hidden(criterion):
        return dict(num_old=num_old, hidden=ids)
    if ids == tuple(range(1, num_old)):
        return dict(num_old=num_old)
    if ids:
        raise ValueError(
            f'{type(criterion).__name__} has no keyword hidden, so it cannot learn from images '
            f'whose background hides the classes {list(ids)} of {num_old - 1} old ones'
        )
    return dict(num_old=1)


def takes_hidden(criterion: Any) -> bool:
    """Say whether a loss, or the class of one, has an argument ``hidden``."""
    call = getattr(criterion, 'forward', criterion)
    return 'hidden' in inspect.signature(call).parameters


def kept_labels(
    labels: Tensor, replaced: Tensor, hidden: Tensor, num_old: int, ignore_index: int
) -> Tensor:
    """Return a labeller's labels in the images whose old classes are hidden, else only some.

    An image that hides nothing keeps its labels.  In one that hides other classes, only label 0
    is replaced, and only by a hidden class or by ``ignore_index``.

    Args:
        labels: ``(N, H, W)`` of train ids.
        replaced: The labeller's, ``(N, H, W)``.
        hidden: Bool ``(N, C)`` on the CPU, see :func:`hidden_rows`.
        num_old: Outputs before this step, the background included.
        ignore_index: The label of ignored pixels.

    Returns:
        ``(N, H, W)`` in the dtype of ``replaced``.
    """
    usual = torch.zeros(hidden.shape[1], dtype=torch.bool)
    usual[1:num_old] = True
    as_usual, some = (hidden == usual).all(1), hidden.any(1)
    allowed = torch.zeros(len(hidden), ignore_index + 1, dtype=torch.bool)
    allowed[:, : hidden.shape[1]] = hidden
    allowed[:, ignore_index] = some
    as_usual, allowed = (each.to(labels.device, non_blocking=True) for each in (as_usual, allowed))
    may = allowed.gather(1, replaced.long().flatten(1).clamp(0, ignore_index)).view(labels.shape)
    may = may & (labels == 0) | as_usual[:, None, None]
    return replaced.where(may, labels.to(replaced.dtype))


def chosen_images(images: Sequence[int], *tensors: Tensor | None) -> list[Tensor | None]:
    """Return the rows of tensors that belong to some images; None stays None.

    Args:
        images: The images' indices.
        tensors: ``(N, …)`` each, on any device; an index on the CPU costs no wait for it.
    """
    first = next(each for each in tensors if each is not None)
    index = torch.tensor(list(images)).to(first.device, non_blocking=True)
    return [None if each is None else each[index] for each in tensors]
