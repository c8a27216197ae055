import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from incseg.datasets.folder_files import check_link
from incseg.datasets.image_labels.base import BaseImageLabels
from incseg.datasets.seg_dataset import SegDataset
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import TASK_UTILS
from incseg.utils.rules import expected

_FORMAT = 'expected {image id: [class names]}'


@TASK_UTILS.register_module()
class JSONImageLabels(BaseImageLabels):
    """Image-level labels from a JSON file, ``{image id: [class names]}``.

    Args:
        dataset: The data set; its classes are the allowed names.
        path: The file, read at once.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: The file has another content.
    """

    def __init__(self, dataset: SegDataset, path: str) -> None:
        super().__init__(dataset)
        if not isinstance(path, str | os.PathLike):
            raise expected('path of JSONImageLabels', path, 'that of a file')
        self.path = Path(path)
        self._names = _read(self.path)

    def labels(self, image_ids: Sequence[str]) -> np.ndarray:
        """Return which classes the images show, see :meth:`BaseImageLabels.labels`.

        Raises:
            MissingFileError: The file lacks images; the message has the first one and their number.
            InvalidInputError: The file names a class that the data set does not have.
        """
        missing = [image_id for image_id in image_ids if image_id not in self._names]
        if missing:
            raise MissingFileError(
                f"image labels '{self.path}' lack image {missing[0]!r} ({len(missing)} of "
                f'{len(image_ids)} are missing); an image without a class has an empty list'
            )
        return super().labels(image_ids)

    def class_ids(self, image_id: str) -> Iterable[int]:
        """Return the dataset ids of the classes that the file lists for the image."""
        return self.ids_of_names(
            self._names[image_id], f"image {image_id!r} in image labels '{self.path}'"
        )


def _read(path: Path) -> dict[str, list[str]]:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise MissingFileError(f"image labels '{path}' do not exist, {_FORMAT}") from error
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"image labels '{path}' cannot be read ({error}), {_FORMAT}"
        ) from error
    if not isinstance(content, dict):
        raise InvalidInputError(f"image labels '{path}' hold a {type(content).__name__}, {_FORMAT}")
    for image_id, names in content.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidInputError(
                f"image labels '{path}' have {names!r:.60} for image {image_id!r}, {_FORMAT}"
            )
    return content


@TASK_UTILS.register_module()
class VOCXMLImageLabels(BaseImageLabels):
    """Image-level labels from PASCAL VOC's box annotations, ``<folder>/<image id>.xml``.

    The classes are the ``name`` of every ``object``; the parts of an object
    (head, hand, foot) are not classes.  On VOC 2012 augmented these files name
    objects that the masks do not have, see ``docs/pseudo_labels.md``.

    Args:
        dataset: The data set.
        folder: Folder of the XML files, below the data set's root.

    Raises:
        MissingFileError: There is no such folder.
    """

    def __init__(self, dataset: SegDataset, folder: str = 'Annotations') -> None:
        super().__init__(dataset)
        self.folder = Path(dataset.data_root, folder)
        if not self.folder.is_dir():
            raise MissingFileError(
                f"folder of XML annotations '{self.folder}' does not exist; expected one file "
                '<image id>.xml for each image'
            )

    def class_ids(self, image_id: str) -> Iterable[int]:
        """Return the dataset ids of the objects in the image's XML file.

        Raises:
            MissingFileError: The image has no XML file.
            InvalidInputError: The file cannot be read, or names a class that the data set
                does not have; or it is a link that leads out of the data set.
        """
        path = self.folder / f'{image_id}.xml'
        if path.is_symlink() and not self.dataset.follow_links:
            check_link(path, self.folder, self.dataset.data_root)
        try:
            root = ElementTree.parse(path).getroot()
        except FileNotFoundError as error:
            raise MissingFileError(f"image {image_id!r} has no XML annotation '{path}'") from error
        except (ElementTree.ParseError, OSError) as error:
            raise InvalidInputError(
                f"XML annotation '{path}' cannot be read ({error}), expected PASCAL VOC's format, "
                '<annotation><object><name>…'
            ) from error
        names = [(item.findtext('name') or '').strip() for item in root.iter('object')]
        return self.ids_of_names(names, f"XML annotation '{path}'")
