"""The parts that a method adds to the network for its training."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from incseg.errors import InvalidInputError
from incseg.models.distillation import BaseDistillation
from incseg.models.labellers import BaseLabeller
from incseg.registry import MODELS


def build_terms(configs: Mapping[str, dict | None] | None) -> nn.ModuleDict:
    """Build the distillation terms of a method.

    Args:
        configs: Config of each term by name; a term whose config is None is left out.  None for
            no terms.

    Raises:
        InvalidInputError: Naming the term whose argument is not allowed.
    """
    terms = nn.ModuleDict()
    for name, config in (configs or {}).items():
        if config is not None:
            try:
                terms[name] = complete_term(MODELS.build(config))
            except InvalidInputError as error:
                raise InvalidInputError(f'distillation.{name}: {error}') from None
    return terms


def complete_term(term: nn.Module) -> nn.Module:
    """Give a term that does not inherit from :class:`BaseDistillation` the attributes it lacks.

    Args:
        term: A module called ``term(student, teacher)``; it is changed and returned.
    """
    if isinstance(term, BaseDistillation):
        return term
    return with_defaults(
        term, dict(reads=BaseDistillation.reads, source='decode_head', check=lambda network: None)
    )


def complete_labeller(labeller: Any) -> Any:
    """Give a labeller that does not inherit from :class:`BaseLabeller` the attributes it lacks.

    The object itself is changed and returned, not wrapped: other parts of its repository may
    look at its attributes, and a module keeps the names of its weights.

    Args:
        labeller: Any object; None is returned as it is.
    """
    if labeller is None or isinstance(labeller, BaseLabeller):
        return labeller
    base = BaseLabeller()
    names = [name for name in vars(BaseLabeller) if not name.startswith('_')]
    return with_defaults(labeller, {name: getattr(base, name) for name in names})


def with_defaults(part: Any, defaults: Mapping[str, Any]) -> Any:
    """Give a part the attributes that it lacks; one that is there stays, also if it is None.

    Args:
        part: Any object; it is changed.
        defaults: The values by the attributes' names.

    Returns:
        The part itself.
    """
    for name, value in defaults.items():
        if not hasattr(part, name):
            object.__setattr__(part, name, value)  # also of a frozen dataclass
    return part
