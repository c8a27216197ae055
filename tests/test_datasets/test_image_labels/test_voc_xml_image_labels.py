from pathlib import Path

import pytest

from incseg.datasets import VOCXMLImageLabels
from incseg.errors import InvalidInputError, MissingFileError

XML = """<annotation><filename>b.jpg</filename>
<object><name>person</name><part><name>head</name></part></object>
<object><name>sofa</name><difficult>1</difficult></object>
<object><name>person</name></object></annotation>"""


@pytest.fixture
def folder(voc):
    folder = Path(voc.data_root, 'Annotations')
    folder.mkdir()
    (folder / 'b.xml').write_text(XML)
    (folder / 'c.xml').write_text('<annotation></annotation>')
    return folder


def test_names_of_objects(voc, folder, shown):
    """A person's head is not a class of its own; two persons are one; no object is no class."""
    assert shown(VOCXMLImageLabels(voc).labels(['c', 'b'])) == [[0], [0, 15, 18]]


def test_errors_name_the_file(voc, folder):
    """What is missing, damaged or unknown is said with its path."""
    source = VOCXMLImageLabels(voc)
    with pytest.raises(MissingFileError, match=r"image 'a' has no XML annotation '.*/a\.xml'"):
        source.labels(['a'])
    (folder / 'a.xml').write_text('<annotation><object>')
    with pytest.raises(InvalidInputError, match=r"a\.xml' cannot be read \(.*PASCAL VOC's format"):
        source.labels(['a'])
    (folder / 'a.xml').write_text('<annotation><object><name>dragon</name></object></annotation>')
    with pytest.raises(InvalidInputError, match=r"a\.xml' names the class 'dragon'; allowed are a"):
        source.labels(['a'])


def test_missing_folder(voc):
    """Said when the source is made, not at the first image."""
    with pytest.raises(MissingFileError, match=r"folder of XML annotations '.*/Boxes' does not"):
        VOCXMLImageLabels(voc, 'Boxes')
