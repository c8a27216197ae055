"""Everything that is registered has a contract."""

from importlib import import_module
from pathlib import Path

import pytest
from mmengine.registry import Registry

from incseg import registry
from tests.common.contract import CONTRACTS, registered

for module in sorted(Path(__file__).parent.glob('test_*.py')):
    import_module(f'tests.common.{module.stem}')

REGISTRIES = {name: node for name, node in vars(registry).items() if isinstance(node, Registry)}


def kinds_of(node, part):
    return [
        kind
        for kind, contract in CONTRACTS.items()
        if contract.registry is node and contract.covers(part)
    ]


def without_kind(node):
    """Registered parts that no contract, or more than one, covers."""
    return {
        name: kinds
        for name, part in registered(node).items()
        if len(kinds := kinds_of(node, part)) != 1
    }


@pytest.mark.parametrize('name', sorted(REGISTRIES))
def test_every_entry_is_of_one_kind(name):
    """If it fails, something is registered in a room for which tests/common has no contract."""
    assert not without_kind(REGISTRIES[name]), f'{name}: no contract, or several, cover these'


@pytest.mark.parametrize('kind', sorted(CONTRACTS))
def test_every_entry_has_an_example(kind):
    """If it fails, a part was added without saying what it promises, or one is gone."""
    contract = CONTRACTS[kind]
    for name in contract.parts():
        contract[name]
    assert not set(contract.examples) - set(contract.parts()), 'examples of nothing'


@pytest.mark.parametrize('kind', sorted(CONTRACTS))
def test_an_entry_without_an_example_fails(kind, monkeypatch):
    """If it fails, a new part of this kind would pass all contracts without being looked at."""
    contract = CONTRACTS[kind]
    newcomer = type('Newcomer', (), dict(__module__=f'{contract.rooms[0]}.newcomer'))
    monkeypatch.setitem(contract.registry.module_dict, 'Newcomer', newcomer)
    assert 'Newcomer' in contract.each().args[1], 'no test would be run with it'
    with pytest.raises(pytest.fail.Exception, match=f'Newcomer is a registered {kind} without'):
        contract.build('Newcomer')


@pytest.mark.parametrize('name', sorted(REGISTRIES))
def test_an_entry_in_a_room_without_a_contract_fails(name, monkeypatch):
    """If it fails, a new kind of part needs no contract; parts of tests and plug-ins need none."""
    node = REGISTRIES[name]
    before = without_kind(node)
    stranger = type('Stranger', (), dict(__module__='incseg.models.new_room'))
    monkeypatch.setitem(node.module_dict, 'Stranger', stranger)
    assert without_kind(node) == {**before, 'Stranger': []}
    stranger.__module__ = 'my_package.losses'
    assert without_kind(node) == before
