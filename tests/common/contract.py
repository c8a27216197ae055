"""Contracts: for each kind of registered part a table of examples, which has to be complete."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mmengine.registry import Registry

#: kind -> its contract; a test module declares each of them once
CONTRACTS: dict[str, 'Contract'] = {}


def registered(registry: Registry) -> dict[str, Any]:
    """Return the parts that incseg itself registers, by name; a part's old names do not count."""
    registry.import_from_location()
    return {
        name: part
        for name, part in registry.module_dict.items()
        if part.__module__.split('.')[0] == 'incseg'
        and (name == part.__name__ or registry.module_dict.get(part.__name__) is not part)
    }


class Example(dict):
    """Arguments that build a part, and what is promised of it beyond what its kind promises.

    Args:
        promise: What the tests of the kind say it means.
        variants: Further arguments; where there are some, one is used at a time.
        arguments: Of the part.
    """

    def __init__(self, promise: Any = None, /, *variants: dict, **arguments: Any) -> None:
        super().__init__(arguments)
        self.promise, self.variants = promise, variants or ({},)


class Contract:
    """The contract of one kind of part: which parts it covers, and an example of each.

    Args:
        kind: Its name in messages.
        registry: Where parts of this kind are registered.
        room: The package or module, or several, in which such parts stand.
        but: Modules in it of which the parts are of another kind.
        examples: By registered name, how to build the part and what it promises.
        home: The test module, ``__file__``.
    """

    def __init__(
        self,
        kind: str,
        registry: Registry,
        room: str | tuple[str, ...],
        examples: Mapping[str, Any],
        home: str,
        but: tuple[str, ...] = (),
    ) -> None:
        self.kind, self.registry, self.examples = kind, registry, examples
        self.rooms, self.but = (room,) if isinstance(room, str) else room, but
        self.home = Path(home).name
        CONTRACTS[kind] = self

    def covers(self, part: Any) -> bool:
        """Whether a part stands in one of the rooms."""
        here = part.__module__
        return here not in self.but and any(
            f'{here}.'.startswith(f'{room}.') for room in self.rooms
        )

    def parts(self) -> dict[str, Any]:
        """The registered parts of this kind, by name."""
        return {name: part for name, part in registered(self.registry).items() if self.covers(part)}

    def each(self, having: str = '') -> Any:
        """Run a test with the ``name`` of each part, or of those that have an attribute."""
        names = [
            name
            for name, part in sorted(self.parts().items())
            if hasattr(part, having or '__name__')
        ]
        return pytest.mark.parametrize('name', names)

    def each_way(self, having: str = '', but: Any = ()) -> Any:
        """Run a test with the ``name`` and the ``options`` of each variant of each part.

        A part that has an argument ``fused`` is tried with it and without.

        Args:
            having: Only parts with this attribute.
            but: Only parts whose promise is another one.
        """
        ways = []
        for name in self.each(having).args[1]:
            if name in self.examples and but and self.examples[name].promise == but:
                continue
            both = self.accepts(name, 'fused')
            for options in self.examples[name].variants if name in self.examples else [{}]:
                ways += (
                    [(name, {**options, 'fused': on}) for on in (True, False)]
                    if both
                    else [(name, options)]
                )
        ids = [
            '-'.join([name, *(f'{key}={value}' for key, value in options.items())])
            for name, options in ways
        ]
        return pytest.mark.parametrize(('name', 'options'), ways, ids=ids)

    def __getitem__(self, name: str) -> Any:
        if name not in self.examples:
            pytest.fail(
                f'{name} is a registered {self.kind} without a contract: say in the table of '
                f'examples in tests/common/{self.home} how to build it and what it promises',
                pytrace=False,
            )
        return self.examples[name]

    def accepts(self, name: str, argument: str) -> bool:
        """Whether a part has an argument of that name."""
        return argument in inspect.signature(self.parts()[name]).parameters

    def config(self, name: str, /, **options: Any) -> dict[str, Any]:
        """The config of the example: its type, its arguments, and other ones."""
        return {**self[name], **options, 'type': name}

    def build(self, name: str, /, **options: Any) -> Any:
        """The part, by its config."""
        return self.registry.build(self.config(name, **options))
