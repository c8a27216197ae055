"""A folder one or two floors off is an easy mistake: the message says where the labels are."""

import pytest

from incseg.datasets.pseudo_labels.pseudo_label_files import label_folders, no_labels


@pytest.fixture
def root(tmp_path):
    """Labels of two steps of 4-2 and one of 2-2."""
    for leaf in ('4-2/1', '4-2/0', '2-2/1'):
        (tmp_path / 'pseudo' / leaf / 'labels').mkdir(parents=True)
        (tmp_path / 'pseudo' / leaf / 'meta.json').write_text('{}')
    return tmp_path / 'pseudo'


def test_what_lies_below(root):
    """Of the root and of a protocol; a folder without ``meta.json`` is not listed."""
    (root / '4-2/3/labels').mkdir(parents=True)
    assert label_folders(root) == ['2-2/1', '4-2/0', '4-2/1']
    assert label_folders(root / '4-2') == ['0', '1']
    assert label_folders(root / '4-2/1') == []


def test_message(root, tmp_path):
    """If it fails, who names the root has to guess what is wanted."""
    expected = 'expected is <root>/<protocol>/<step>'
    assert no_labels(root) == (
        f"no pseudo-labels in '{root}': it has no meta.json; {expected}, here one of "
        f"'{root}/' + 2-2/1, 4-2/0, 4-2/1"
    )
    assert no_labels(root / '4-2/1/labels').endswith(f"{expected}, here '{root}/4-2/1'")
    assert no_labels(tmp_path / 'x').endswith(
        f'there is no such folder; {expected}, which holds meta.json'
    )
    (tmp_path / 'empty').mkdir()
    assert no_labels(tmp_path / 'empty').endswith(f'{expected}, and below it lie no labels')
