"""The test set has the classes of the training set, in the same order."""

import pytest

from incseg.errors import InvalidInputError

NAMES = ['background', 'disc', 'square', 'triangle', 'ring', 'cross', 'star']


@pytest.mark.parametrize(
    'names', [[NAMES[0], NAMES[2], NAMES[1], *NAMES[3:]], NAMES[:-1]], ids=['order', 'number']
)
def test_other_classes_in_the_test(tiny, names):
    """If it fails, a whole run ends with a table whose rows are of other classes."""
    with pytest.raises(InvalidInputError, match='the list of classes of data.test is .*as data.tr'):
        tiny(**{'data.test.metainfo': dict(classes=names)})


def test_other_names_in_both(tiny):
    """If it fails, classes cannot be renamed."""
    names = ['background', *'abcdef']
    parts = {f'data.{split}.metainfo': dict(classes=names) for split in ('train', 'test')}
    assert tiny(**parts).data.test.metainfo.classes == names
