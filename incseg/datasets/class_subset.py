"""The choice of some classes of a data set: their order, and what becomes of the others."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from incseg.constants import VOID
from incseg.errors import InvalidInputError
from incseg.utils.rules import any_of, expected

#: what pixels of the other classes become
OTHERS = {'background': 0, 'void': VOID}


class ClassSubset:
    """Some classes of a data set, in an order of their own.

    Args:
        metainfo: ``classes`` (the background first) and ``palette`` of the whole data set.
        classes: Names of the chosen classes in their new order, without background; None
            chooses all of them.
        others: ``'background'`` or ``'void'``: what pixels of the other classes become.
        name: The data set's name, for errors.

    Raises:
        InvalidInputError: There is no such class, or one is chosen twice; or ``others`` is
            ``'void'`` and all classes are chosen.

    Attributes:
        names: Names of all classes of the data set, the background first.
        metainfo: ``metainfo`` with the chosen classes and their colours.
        new_ids: int64 ``(C of the whole data set + 1,)``: the new dataset id of each dataset
            id, 0 or 255 for a class that is not chosen.
        left_out: Names of the classes that are not chosen.
    """

    def __init__(self, metainfo: Mapping[str, Any], classes: Any, others: Any, name: str) -> None:
        if not isinstance(others, str) or others not in OTHERS:
            raise expected(f'others of {name}', others, any_of(OTHERS))
        if classes is None and others != 'background':
            raise expected(
                f'others of {name}', others, 'classes=[…] with it, as else there are no others'
            )
        names = [str(each) for each in metainfo['classes']]
        chosen = names if classes is None else [names[0], *check_names(classes, names[1:], name)]
        places = [names.index(each) for each in chosen]
        self.names = names
        self.metainfo: dict[str, Any] = dict(metainfo)
        if classes is not None:
            palette = [metainfo['palette'][i] for i in places]
            self.metainfo.update(classes=tuple(chosen), palette=palette)
        self.new_ids = np.full(len(names), OTHERS[others], np.int64)
        self.new_ids[places] = np.arange(len(chosen))
        self.left_out = frozenset(names) - frozenset(chosen)


def check_names(classes: Any, known: Sequence[str], name: str) -> list[str]:
    """Return the names of chosen classes, once they are names of classes.

    Args:
        classes: The names; the background may stand before them.
        known: Names of all classes of the data set, without background.
        name: The data set's name, for errors.

    Raises:
        InvalidInputError: They are no list of one or more different names of classes.
    """
    key = f'classes of {name}'
    if not isinstance(classes, Sequence) or isinstance(classes, str):
        raise expected(key, classes, 'a list of names of classes')
    names = list(classes)
    if names[:1] == ['background']:
        names = names[1:]
    for i, each in enumerate(names):
        if each == 'background':
            raise InvalidInputError(
                f"{key} has 'background' at place {names.index(each)}, expected it first or not at "
                'all: it is there without being named'
            )
        if each not in known:
            raise expected(f'a class in {key}', each, any_of(known))
        if each in names[:i]:
            raise InvalidInputError(f'{key} has {each!r} twice, expected each class once')
    if not names:
        raise expected(key, list(classes), f'one or more of {any_of(known)}')
    return names


def declared_metainfo(kind: Any, part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the classes and colours of a data set's config, without reading files.

    Args:
        kind: The class of the data set, a :class:`SegDataset`.
        part: Its config.

    Raises:
        InvalidInputError: See :meth:`SegDataset.metainfo_of` and :class:`ClassSubset`.
    """
    metainfo: dict[str, Any] = (
        kind.metainfo_of(part)
        if hasattr(kind, 'metainfo_of')
        else kind.resolve_metainfo(part.get('metainfo'))
    )
    if part.get('classes') is None:
        return metainfo
    others = part.get('others', 'background')
    return ClassSubset(metainfo, part['classes'], others, kind.__name__).metainfo
