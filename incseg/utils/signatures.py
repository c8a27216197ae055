"""The arguments of functions and constructors: their names, and the values that they take."""

import inspect
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

from incseg.utils.rules import SWITCH, TEXT, Rule, expected, is_number

PATH: Rule = (lambda value: isinstance(value, str | PathLike), 'a path')
#: the rules of annotations that stand for one kind of value
KINDS: dict[Any, Rule] = {
    type(None): (lambda value: value is None, 'None'),
    bool: SWITCH,
    int: (lambda value: isinstance(value, Integral) and is_number(value), 'a whole number'),
    float: (is_number, 'a number'),
    str: TEXT,
    Path: PATH,
    PathLike: PATH,
}
LISTS = (list, tuple, Sequence, Iterable)
DICTS = (dict, Mapping)


def parameters_of(function: Any) -> Iterator[tuple[Any, inspect.Parameter]]:
    """Yield ``(function, parameter)`` for the arguments that a function or constructor takes.

    Where a constructor hands ``**kwargs`` on to a base class, the base's arguments are included,
    with the base's constructor as their function; ``self`` is not.  The first of a name counts.

    Args:
        function: A function or a class.
    """
    if not inspect.isclass(function):
        for parameter in inspect.signature(function).parameters.values():
            yield function, parameter
        return
    for cls in function.__mro__:
        if '__init__' not in vars(cls) or cls is object:
            continue
        own = list(inspect.signature(vars(cls)['__init__']).parameters.values())[1:]
        for parameter in own:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                yield vars(cls)['__init__'], parameter
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
            return


def arguments(function: Any) -> set[str] | None:
    """Return the names of the arguments of a function, or of a class's constructor.

    See :func:`parameters_of`.

    Args:
        function: A function or a class.

    Returns:
        The names, or None for a function that takes ``**kwargs``: they cannot be known.
    """
    found = [parameter for _, parameter in parameters_of(function)]
    open_end = any(parameter.kind is parameter.VAR_KEYWORD for parameter in found)
    return None if open_end else {parameter.name for parameter in found}


def check_arguments(where: str, function: Any, values: Mapping[str, Any]) -> None:
    """Refuse a value that the annotation of its argument excludes.

    An argument without annotation takes anything, and so does one whose annotation is no simple
    type (a number, text, a switch, a path, None, and lists, dicts and choices of these).  A
    number stands for a finite one.  The argument's default is always taken.

    Args:
        where: The part that has the arguments, as an error names it.
        function: A function or a class.
        values: Arguments by name; an unknown name is not checked.

    Raises:
        InvalidInputError: Naming the first argument that is refused.
    """
    checked = set()
    for owner, parameter in parameters_of(function):
        name = parameter.name
        if name not in values or name in checked:
            continue
        checked.add(name)
        value, default = values[name], parameter.default
        annotation = annotation_of(owner, parameter)
        if value is default or fits(value, annotation):
            continue
        if default is not parameter.empty and type(value) is type(default) and value == default:
            continue
        raise expected(f'{where}.{name}', value, in_words(annotation))


def annotation_of(function: Any, parameter: inspect.Parameter) -> Any:
    """Return the annotation of a function's parameter; Any where it has none or it is unknown."""
    if isinstance(parameter.annotation, str):
        with suppress(Exception):  # a name that only a type checker imports
            return eval(parameter.annotation, function.__globals__)
        return Any
    return Any if parameter.annotation is parameter.empty else parameter.annotation


def fits(value: Any, annotation: Any) -> bool:
    """Say whether a value may be what an annotation announces; True if that is not known."""
    if annotation in KINDS:
        return KINDS[annotation][0](value)
    origin, inner = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, each) for each in inner)
    if origin is typing.Literal:
        return any(type(value) is type(each) and value == each for each in inner)
    if origin is PathLike:
        return PATH[0](value)
    if origin in LISTS:
        return isinstance(value, list | tuple) and all(map(fits, value, items_of(inner, value)))
    if origin in DICTS:
        return isinstance(value, Mapping) and (
            len(inner) != 2 or all(fits(each, inner[1]) for each in value.values())
        )
    return True


def items_of(inner: tuple[Any, ...], values: Sequence[Any]) -> list[Any]:
    """Return the annotation of each of the values of a list, from the arguments of the list's."""
    if len(inner) == len(values) and Ellipsis not in inner:
        return list(inner)
    return [inner[0] if inner and inner[0] is not Ellipsis else Any] * len(values)


def in_words(annotation: Any) -> str:
    """Return what an annotation announces, in words."""
    if annotation in KINDS:
        return KINDS[annotation][1]
    origin, inner = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return ' or '.join(dict.fromkeys(map(in_words, inner)))
    if origin is typing.Literal:
        return ' or '.join(map(repr, inner))
    if origin in LISTS:
        kinds = dict.fromkeys(in_words(each) for each in inner if each is not Ellipsis)
        return f'a list (each {" or ".join(kinds)})' if kinds else 'a list'
    if origin in DICTS:
        return 'a dict'
    return PATH[1] if origin is PathLike else f'a {getattr(origin, "__name__", origin)}'
