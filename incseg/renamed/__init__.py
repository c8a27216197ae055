"""Old names of modules: they still import, with a warning, for one version.

A repository that was written for incseg 0.1 goes on working; the warning names the new place.
"""

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from incseg.renamed.names import MODULES, NAMES

__all__ = ['MODULES', 'NAMES', 'install', 'new_name', 'renamed_name']


class RenamedModule(ModuleType):
    """A module under its old name; its attributes are those of the new one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        module = importlib.import_module(new_name(self.__name__))
        return (
            getattr(module, name)
            if hasattr(module, name)
            else getattr(module, NAMES.get(name, name))
        )


class Package(ModuleType):
    """A package that keeps a function whose name a module had before."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, RenamedModule) and hasattr(self, name)):
            super().__setattr__(name, value)


class RenamedModules(MetaPathFinder, Loader):
    """Find the modules of :data:`MODULES` by their old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        known = fullname.startswith('incseg.') and fullname.removeprefix('incseg.') in MODULES
        return ModuleSpec(fullname, self) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return RenamedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        warnings.warn(
            f'{module.__name__} is now {new_name(module.__name__)}; the old name goes in 0.3',
            DeprecationWarning,
            stacklevel=2,
        )
        package = sys.modules[module.__name__.rpartition('.')[0]]
        if type(package) is ModuleType:
            package.__class__ = Package


def new_name(old: str) -> str:
    """Return the full name of the module that an old full name stands for."""
    return f'incseg.{MODULES[old.removeprefix("incseg.")]}'


def renamed_name(old: str, new: str, value: Any) -> Any:
    """Return a function or class that was asked for by its old name, with a warning."""
    warnings.warn(f'{old} is now {new}; the old name goes in 0.3', DeprecationWarning, stacklevel=3)
    return value


def install() -> None:
    """Let imports of old names find the new modules."""
    if not any(isinstance(finder, RenamedModules) for finder in sys.meta_path):
        sys.meta_path.append(RenamedModules())
