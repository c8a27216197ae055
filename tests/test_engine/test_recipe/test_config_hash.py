"""Equal hashes share results: what shapes a result has to be in them."""

from mmengine.config import ConfigDict

from incseg.engine.recipe import identity as module
from incseg.engine.recipe.identity import config_hash, foreign_sources
from incseg.registry import MODELS


def test_order_and_kind_of_dict_do_not_matter():
    """The same config written in another way would be trained twice."""
    assert config_hash(dict(a=1, b=dict(c=2))) == config_hash(ConfigDict(b=dict(c=2), a=1))
    assert len(config_hash({})) == 16


def test_what_matters(monkeypatch):
    """A value, the library's version, the number of processes: each another result."""
    before = config_hash(dict(a=1))
    assert config_hash(dict(a=2)) != before
    for name, value in (('__version__', '99'), ('get_world_size', lambda: 7)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            assert config_hash(dict(a=1)) != before
    assert config_hash(dict(a=1)) == before


def test_code_of_others():
    """A head in somebody's repository may change without its config."""

    @MODELS.register_module(force=True)
    class HashedHead:
        pass

    assert list(foreign_sources([dict(x=dict(type='HashedHead'))])) == ['HashedHead']
    assert foreign_sources(dict(type='FCNHead')) == {}
