from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from incseg.datasets.image_labels.base_image_labels import BaseImageLabels
from incseg.datasets.seg_dataset import SegDataset
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import TASK_UTILS


@TASK_UTILS.register_module()
class VOCXMLImageLabels(BaseImageLabels):
    """Image-level labels from PASCAL VOC's box annotations, ``<folder>/<image id>.xml``.

    The classes are the ``name`` of every ``object``; the parts of an object
    (head, hand, foot) are none.  On VOC 2012 augmented these files name objects
    that the masks do not have, see ``docs/pseudo_labels.md``.

    Args:
        dataset: the data set.
        folder: where the XML files are, below the data set's root.

    Raises:
        MissingFileError: there is no such folder.
    """

    def __init__(self, dataset: SegDataset, folder: str = 'Annotations') -> None:
        super().__init__(dataset)
        self.folder = Path(dataset.data_root, folder)
        if not self.folder.is_dir():
            raise MissingFileError(
                f"folder of XML annotations '{self.folder}' does not exist; expected one file "
                '<image id>.xml for each image')

    def class_ids(self, image_id: str) -> Iterable[int]:
        """Dataset ids of the objects in the image's XML file."""
        path = self.folder / f'{image_id}.xml'
        try:
            root = ElementTree.parse(path).getroot()
        except FileNotFoundError as error:
            raise MissingFileError(
                f"image {image_id!r} has no XML annotation '{path}'") from error
        except (ElementTree.ParseError, OSError) as error:
            raise InvalidInputError(
                f"XML annotation '{path}' cannot be read ({error}); allowed is PASCAL VOC's "
                'format, <annotation><object><name>…') from error
        names = [(item.findtext('name') or '').strip() for item in root.iter('object')]
        return self.ids_of_names(names, f"XML annotation '{path}'")
