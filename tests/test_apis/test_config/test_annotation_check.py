from pathlib import Path

import pytest

from incseg.apis import load_config
from incseg.errors import InvalidInputError

LEAF = Path(__file__).parents[3] / 'configs/mib_s/bisenet_r18_shapes_4-2.py'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'annotation.steps': 'base'}, r"annotation\.steps is 'base', allowed: 'added', 'all'"),
        ({'annotation.folder': 3}, r'annotation\.folder is 3, expected a folder, or None'),
        ({'annotation.threshold': 2}, r'annotation\.threshold is 2, expected a number of 0 to 1'),
        ({'annotation.uncertain': True}, r'annotation\.uncertain is True, expected a number of 0'),
        ({'annotation.gating': 1}, r'annotation\.gating is 1, expected True or False'),
        ({'seam': None}, "the config has no 'seam' to make pseudo-labels"),
        ({'method.memory.size': 3}, 'annotation and method.memory do not go together'),
    ],
)
def test_values(options, message):
    """One line with the key, the value and what is allowed, before anything is trained."""
    with pytest.raises(InvalidInputError, match=message):
        load_config(LEAF, options)


def test_missing_key(tmp_path):
    """A section written by hand says all of it."""
    leaf = tmp_path / 'leaf.py'
    leaf.write_text(f"_base_ = '{LEAF}'\nannotation = dict(_delete_=True, steps='all')\n")
    with pytest.raises(InvalidInputError, match=r"the config has no 'annotation\.folder'"):
        load_config(leaf)


def test_labels_that_are_there_need_no_seam(tmp_path):
    """Somebody else's pseudo-labels come without our network."""
    assert load_config(LEAF, {'annotation.folder': str(tmp_path), 'seam': None}).annotation
