"""The schema says every setting once; what is derived from it fits the rest of the library."""

from collections.abc import Mapping
from pathlib import Path

from incseg.apis.config.schema import DEFAULTS, SETTINGS, evaluated, keys_of, sections, table
from incseg.engine.recipe.names import names_in
from incseg.evaluation.run_settings import DATA, FREE, LABELS, LAYOUT, STARTS, is_free
from incseg.utils.repository import library_files

BASES = library_files() / 'configs/_base_'


def test_settings_of_the_bases():
    """If it fails, a base has a section or a key that no config may have."""
    from mmengine.config import Config

    for path in BASES.glob('*/*.py'):
        base = Config.fromfile(path).to_dict()
        for key, value in base.items():
            assert key in SETTINGS or key in names_in(base, base), f'{path} has {key}'
            if key in sections() and isinstance(value, Mapping):
                assert set(value) - {'_delete_'} <= set.union(*keys_of(key)), path


def test_free_settings():
    """If it fails, a setting that no longer exists is free, or a free one changes a score."""
    assert {*FREE} - {LABELS, LAYOUT, DATA, STARTS} <= set(SETTINGS)
    for key, each in SETTINGS.items():
        assert each.free == is_free(key)
        assert each.root or not (each.free and each.evaluated), key
        assert each.root == (key in ('data_root', 'voc_root')), key


def test_every_setting_is_explained():
    """If it fails, the schema cannot be read as the settings' documentation."""
    for key, each in SETTINGS.items():
        assert each.text[0].isupper() or each.text[0] == "'", key
        assert each.text.endswith('.') and '\n' not in each.text
        assert each.rule[0](each.default) or each.default is None, key


def test_derived_tables():
    """If it fails, a config without a section passes, or one without a seed is refused."""
    required, optional = keys_of('')
    assert {'model', 'data', 'protocol', 'schedule', 'method', 'crop_size'} <= required
    assert {'width', 'norm_cfg', 'voc_root', 'seam', 'annotation', 'filename'} <= optional
    assert {'data', 'method', 'protocol', 'schedule', 'schedule.lr', 'seam'} < {*sections()}
    assert keys_of('protocol') == ({'name'}, {'setting', 'class_order', 'steps', 'type'})
    assert list(DEFAULTS) == ['pretrained', 'seed', 'custom_hooks', 'base_steps_dir', 'seam_dir']


def test_an_evaluation_depends_on():
    """If it fails, a setting of the network is not taken over from the training to its test."""
    config = dict(model=dict(x='$depth', y='$pretrained'), depth='$size', size=3, other=1)
    keys = evaluated(config)
    assert {'model', 'width', 'data_root', 'depth', 'size'} <= keys
    assert not keys & {'other', 'pretrained', 'schedule', 'batch_size'}


def test_the_page_on_settings():
    """If it fails, docs/settings.md is older than the schema.

    ``python -c "from incseg.apis.config.schema import table; print(table())"`` prints its table.
    """
    page = Path(__file__).parents[3] / 'docs/settings.md'
    assert f'\n{table()}\n' in page.read_text()
