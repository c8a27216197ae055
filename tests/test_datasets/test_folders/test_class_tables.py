"""Files that name classes, in the forms that tools write them."""

import pytest

from incseg.datasets.folders.class_table import find_class_table, read_class_table
from incseg.errors import InvalidInputError, MissingFileError
from tests.common.folders import write_files

CAT, DOG = ('cat', None, (1, 2, 3)), ('big dog', None, (4, 5, 6))
BG = 'background'
NAMED = [(name, None, None) for name in ('void', 'background', 'cat')]


@pytest.mark.parametrize(
    ('name', 'text', 'classes'),
    [
        ('labelmap.txt', '# label:color_rgb::\ncat:1,2,3::\nbig dog:4,5,6::', [CAT, DOG]),
        ('class_dict.csv', 'name,r,g,b\ncat,1,2,3\nbig dog,4,5,6\n', [CAT, DOG]),
        ('c.csv', 'name,color\ncat,"(1, 2, 3)"\n', [CAT]),
        ('label_colors.txt', '1 2 3\tcat\n4 5 6\t\tbig dog', [CAT, DOG]),
        ('c.txt', 'cat 1 2 3\nbig dog 4 5 6\n', [CAT, DOG]),
        ('_classes.csv', 'Pixel Value, Class\n0, bg\n1, b', [(BG, 0, None), ('b', 1, None)]),
        ('i.txt', '1: cat\n2 big dog', [('cat', 1, None), ('big dog', 2, None)]),
        ('names.txt', '__ignore__\n_background_\ncat', NAMED),
        ('a.json', '{"cat": [1, 2, 3], "big dog": "#040506"}', [CAT, DOG]),
        ('b.json', '{"1": "cat"}', [('cat', 1, None)]),
        ('c.json', '{"cat": 1}', [('cat', 1, None)]),
        ('d.json', '[{"name": "cat", "color": "#010203", "attributes": []}]', [CAT]),
        ('e.json', '["cat"]', [('cat', None, None)]),
    ],
)  # fmt: skip
def test_forms(tmp_path, name, text, classes):
    """If it fails, names or colours of a usual tool's export are read wrongly."""
    path = write_files(tmp_path, {name: text}) / name
    assert [(c.name, c.id, c.colour) for c in read_class_table(path)] == classes


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('cat 1 2\n', "a line of class table .* is 'cat 1 2', expected lines"),
        ('cat 1 2 300\n', "a colour in .* is 'cat 1 2 300', expected three numbers"),
        ('cat\ncat\n', "has the name 'cat' twice"),
        ('1 cat\n1 dog\n', 'has the id 1 twice'),
        ('cat 1 2 3\ndog 1 2 3\n', r'has the colour \(1, 2, 3\) twice'),
        ('\n', 'names no class, expected lines'),
        (b'\xff\xfe\x00', 'cannot be read as text'),
    ],
)
def test_other_forms_are_refused(tmp_path, text, message):
    """If it fails, a slip in the file gives classes wrong ids or colours."""
    path = write_files(tmp_path, {'c.txt': text}) / 'c.txt'
    with pytest.raises(InvalidInputError, match=message):
        read_class_table(path)


def test_the_file_is_found_in_the_folder(tmp_path):
    """If it fails, names that lie beside the images are not used."""
    assert find_class_table(tmp_path) is None
    write_files(tmp_path, {'train/_classes.csv': 'x'})
    assert find_class_table(tmp_path) == tmp_path / 'train/_classes.csv'
    write_files(tmp_path, {'Classes.txt': 'x', 'labelmap.txt': 'x'})
    assert find_class_table(tmp_path) == tmp_path / 'labelmap.txt'
    with pytest.raises(MissingFileError, match='gone.txt'):
        read_class_table(tmp_path / 'gone.txt')
