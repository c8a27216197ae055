"""Finds what the docstring of a public class or function lacks."""

import ast
import builtins
import functools
import inspect
import re
import textwrap
from types import FunctionType

from incseg import errors

#: a shape as docstrings give it: ``(N, C, H, W)``, ``(N,)``, ``(…, h, w)``, ``(h w, h w)``
SHAPE = re.compile(r'``\([^`()]*(\([^`()]*\)[^`()]*)*,[^`]*\)``|\bscalars?\b', re.IGNORECASE)
#: where else it is described
SEE = re.compile(r'\b[Ss]ee (:class:|:meth:|:func:)')
TENSORS = re.compile(r'\b(Tensor|ndarray|NDArray)\b')
#: annotations whose tensors have no shape of their own: functions, and tensors by name
NO_SHAPE = re.compile(r'Callable\[.*|\b(dict|Mapping)\[str, [^\]]*Tensor\]')
SECTION = re.compile(r'^(Args|Returns|Raises|Yields|Attributes|Source):', re.MULTILINE)
PAPER = re.compile(r'et al\.|\b(CVPR|ECCV|ICCV|ICML|IJCV|NIPS|NeurIPS|PNAS|arXiv)\b')
#: where helpers stand that raise the error for their caller
RULES = 'incseg.utils.rules'


def sections(doc):
    """Texts of a docstring's parts by title; '' for what comes before."""
    parts = SECTION.split(doc)
    return {'': parts[0]} | {title: text for title, text in zip(parts[1::2], parts[2::2])}


def entries(text):
    """What a section says of each name."""
    found = {}
    for entry in re.split(r'\n(?=    \S)', '\n' + text.strip('\n')):
        names, _, said = entry.partition(':')
        for name in re.split(r',\s*', names.strip()):
            found[name.strip('* `')] = said
    return found


@functools.cache
def tree(function):
    """The code; nothing of a function that was made, as a dataclass's own."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except OSError:
        return ast.parse('')


def has_tensors(annotation):
    """Whether what is annotated so has a shape."""
    return bool(TENSORS.search(NO_SHAPE.sub('', str(annotation))))


def raised(function, owner=None, seen=()):
    """Names of the errors that a function raises, itself or by a private helper of its module."""
    if not isinstance(function, FunctionType) or function in seen:
        return set()
    found = set()
    for node in ast.walk(tree(function)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(error, ast.Name) and error.id.endswith('Error'):
                found.add(error.id)
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, 'id', getattr(node.func, 'attr', ''))
        on_self = (
            isinstance(node.func, ast.Attribute) and getattr(node.func.value, 'id', '') == 'self'
        )
        called = function.__globals__.get(name)
        if getattr(called, '__module__', '') == RULES and name in ('checked', 'check_values'):
            found.add('InvalidInputError')
        elif name.startswith('_') and not name.startswith('__'):
            helper = getattr(owner, name, None) if on_self else function.__globals__.get(name)
            found |= raised(helper, owner, (*seen, function))
    return found


def unnamed(raised_names, text):
    """Errors of which a Raises section names neither the class nor a base of it."""
    named = set(re.findall(r'\b\w*Error\b', text))
    found = set()
    for name in raised_names - {'NotImplementedError'}:
        kind = getattr(errors, name, getattr(builtins, name, None))
        bases = {base.__name__ for base in getattr(kind, '__mro__', ())} - {'OSError'}
        if not named & {name, *bases}:
            found.add(name)
    return found


def shapes_of(text):
    """How many shapes a text gives; a reference to where they are described is all of them."""
    if SEE.search(text):
        return 9
    return len(SHAPE.findall(text)) + len(re.findall(r'(?:-> |of )the same\b|\bthat shape\b', text))


def complaints(name, item, owner=None):
    """What a docstring lacks, in words; empty where nothing.

    Args:
        name: The full name.
        item: A class or a function.
        owner: The class of which the function is a method.
    """
    doc = inspect.cleandoc(item.__doc__ or '')
    if not doc:
        return [f'{name} has no docstring']
    said, found = sections(doc), []
    first = doc.splitlines()[0]
    if not re.search(r'[.!?…]$', first):
        found.append(f'{name}: the first line is no sentence: {first!r}')
    # what a class inherits is described where it is defined
    function = vars(item).get('__init__') if inspect.isclass(item) else item
    if isinstance(function, FunctionType):
        found += signature_complaints(name, function, said, inspect.isclass(item))
        own = raised(function, item if inspect.isclass(item) else owner)
        lacking = unnamed(own, said.get('Raises', ''))
        if lacking:
            found.append(f'{name}: no Raises section names {", ".join(sorted(lacking))}')
    if PAPER.search(doc) and 'Source' not in said:
        found.append(f'{name} speaks of a paper and has no Source')
    return found


def signature_complaints(name, function, said, is_class):
    """Arguments that are not described; arrays and tensors without a shape."""
    found = []
    parameters = list(inspect.signature(function).parameters.values())
    parameters = [p for p in parameters if p.name not in ('self', 'cls') and p.name[0] != '_']
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    tensors = [p for p in named if has_tensors(p.annotation)]
    returns = has_tensors(inspect.signature(function).return_annotation)
    if 'Args' in said or is_class:
        described = entries(said.get('Args', '')) | entries(said.get('Attributes', ''))
        missing = [p.name for p in named if p.name not in described]
        if missing:
            found.append(f'{name}: Args lacks {", ".join(missing)}')
        for p in tensors:
            if p.name in described and not shapes_of(described[p.name]):
                found.append(f'{name}: Args gives no shape of {p.name}')
    elif tensors and not shapes_of(said['']):
        found.append(f'{name}: no shape of {", ".join(p.name for p in tensors)}')
    if returns and not is_class:
        text = said.get('Returns', said.get('Yields', said['']))
        least = 1 + bool(tensors and 'Args' not in said and 'Returns' not in said)
        if shapes_of(text) < least:
            found.append(f'{name}: no shape of what it returns')
    return found
