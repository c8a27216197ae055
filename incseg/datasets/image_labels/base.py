import json
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from incseg.datasets.seg_dataset import SegDataset
from incseg.protocols import Protocol
from incseg.utils.files import write_atomically
from incseg.utils.rules import any_of, expected


class BaseImageLabels(ABC):
    """Base class of the sources of image-level labels: the classes that each image shows.

    A subclass implements :meth:`class_ids`.

    Args:
        dataset: The data set; its classes are the allowed names.
    """

    #: whether the labels are derived from masks, so that every image needs a mask
    reads_masks: ClassVar[bool] = False

    def __init__(self, dataset: SegDataset) -> None:
        self.dataset = dataset
        self._id_of = {str(name): i for i, name in enumerate(dataset.metainfo['classes']) if i}

    def labels(self, image_ids: Sequence[str]) -> np.ndarray:
        """Return the classes that the images show.

        Args:
            image_ids: Some of ``SegDataset.image_ids``, in any order.

        Returns:
            Bool ``(len(image_ids), C + 1)``, column = dataset id.  The column of
            the background is True: image-level labels do not mention it.

        Raises:
            MissingFileError: The source is missing, or it lacks an image.
            InvalidInputError: The source cannot be read, or names a class that
                the data set does not have.
        """
        rows = np.zeros((len(image_ids), len(self._id_of) + 1), np.bool_)
        rows[:, 0] = True
        for row, image_id in zip(rows, image_ids, strict=True):
            ids = list(self.class_ids(image_id))
            if not all(is_whole(i) and 0 <= i < len(row) for i in ids):
                raise expected(
                    f'class_ids({image_id!r}) of {type(self).__name__}',
                    ids,
                    f'dataset ids, 0 to {len(row) - 1}',
                )
            row[[int(i) for i in ids]] = True
        return rows

    @abstractmethod
    def class_ids(self, image_id: str) -> Iterable[int]:
        """Return the dataset ids of the classes in one image, with or without 0 (background).

        Args:
            image_id: One of ``SegDataset.image_ids``.
        """

    def ids_of_names(self, names: Iterable[str], where: str) -> list[int]:
        """Return the dataset ids of class names, without classes that are not chosen.

        Args:
            names: Names of classes of the data set.
            where: Place of the names, for errors.

        Raises:
            InvalidInputError: The data set does not have such a class.
        """
        names = [name for name in names if name not in self.dataset.subset.left_out]
        for name in names:
            if name not in self._id_of:
                raise expected(f'a class in {where}', name, any_of(self._id_of))
        return [self._id_of[name] for name in names]


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number, of any library; a bool is not one."""
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool | np.bool_)


#: the classes that weak supervision sees: of all steps, or of the step only
SCOPES = ('all', 'step')


def visible_labels(
    labels: np.ndarray, protocol: Protocol, step: int, scope: str = 'step'
) -> np.ndarray:
    """Return the image-level labels that weak supervision may see at a step.

    Args:
        labels: Bool ``(images, C + 1)``, column = dataset id; not changed.
        protocol: Says which classes are new at the step.
        step: Number of the step, from 0.
        scope: ``'step'``: the step's new classes only, as in WILSON; ``'all'``:
            every class.

    Returns:
        Bool ``(images, C + 1)``, a copy of ``labels`` in which the other
        classes are False; the background's column stays.

    Raises:
        InvalidInputError: There is no such scope or step.

    Source: WILSON (Cermelli et al., CVPR 2022).
    """
    if scope not in SCOPES:
        raise expected('scope', scope, any_of(SCOPES))
    if scope == 'all':
        return labels.copy()
    visible = np.zeros_like(labels)
    columns = [0, *protocol.new(step)]
    visible[:, columns] = labels[:, columns]
    return visible


def write_image_labels(
    path: str | Path, image_ids: Sequence[str], labels: np.ndarray, classes: Sequence[str]
) -> None:
    """Write image-level labels to a JSON file that :class:`JSONImageLabels` reads.

    Args:
        path: The file; an existing one is replaced.
        image_ids: One for each row.
        labels: Bool ``(images, C + 1)``, column = dataset id; the background
            is not written.
        classes: C + 1 names by dataset id, the background first.

    Raises:
        SaveError: The file cannot be written.
    """
    content = {
        image_id: [classes[i] for i in np.flatnonzero(row).tolist() if i]
        for image_id, row in zip(image_ids, labels, strict=True)
    }
    text = json.dumps(content, indent=0, ensure_ascii=False) + '\n'
    write_atomically(Path(path), text.encode('utf-8', 'backslashreplace'))  # other bytes in a name
