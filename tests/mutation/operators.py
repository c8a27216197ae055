"""Mutants of a module: where they are, what they change and what identifies them.

A mutant replaces one node of the syntax tree.  It is known by the function it is in, its operator,
the text of the statement around it, the text of the node and its number among equal ones, so that
neither the layout of the file nor the lines above matter.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from changes import call_name, expression_changes, statement_changes

Path = tuple[tuple[str, int | None], ...]

MESSAGES = ('print', 'warn')
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes:
        module: The file, below the tree.
        scope: Qualified name of the function or class it is in; empty at the module's level.
        operator: What kind of change it is.
        statement: The statement around the node, a compound one without its body.
        node: The node that is replaced.
        mutated: What it is replaced by.
        occurrence: Its number among those of the module that agree in all of the above.
        lines: First and last line that have to run for the change to matter.
        at_import: Whether the node is evaluated when the module is imported.
    """

    module: str
    scope: str
    operator: str
    statement: str
    node: str
    mutated: str
    occurrence: int
    lines: tuple[int, int]
    at_import: bool
    path: Path = field(repr=False, compare=False)
    replacement: ast.AST = field(repr=False, compare=False)

    def apply(self, source: str) -> str:
        """Return the module's source with the change in it, its comments gone."""
        tree = ast.parse(source)
        node: ast.AST = tree
        for name, index in self.path[:-1]:
            node = step(node, name, index)
        name, index = self.path[-1]
        new = copy.deepcopy(self.replacement)
        if index is None:
            setattr(node, name, new)
        else:
            getattr(node, name)[index] = new
        return ast.unparse(ast.fix_missing_locations(tree))


@dataclass(frozen=True)
class Place:
    """Where the walk through a module is."""

    scope: str
    statement: str
    lines: tuple[int, int]
    at_import: bool
    in_init: bool = False


def mutants_of(source: str, module: str) -> list[Mutant]:
    """Return all mutants of a module, in the order of its text."""
    tree = ast.parse(source)
    seen: Counter[tuple[str, ...]] = Counter()
    found = []
    for path, node, place, operator, new in _block(tree.body, 'body', (), '', True):
        texts = place.scope, operator, place.statement, ast.unparse(node)
        shown = header(new) if isinstance(new, ast.stmt) else new
        mutated = ast.unparse(ast.fix_missing_locations(copy.deepcopy(shown)))
        found.append(
            Mutant(module, *texts, mutated, seen[texts], place.lines, place.at_import, path, new)
        )
        seen[texts] += 1
    return found


def step(node: ast.AST, name: str, index: int | None) -> ast.AST:
    """Return the child of a node."""
    child = getattr(node, name)
    return child if index is None else child[index]


Found = Iterator[tuple[Path, ast.AST, Place, str, ast.AST]]


def _block(body: list[ast.stmt], name: str, path: Path, scope: str, at_import: bool) -> Found:
    for i, statement in enumerate(body):
        yield from _statement(statement, (*path, (name, i)), scope, at_import)


def _statement(node: ast.stmt, path: Path, scope: str, at_import: bool) -> Found:
    if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node):
        return
    if isinstance(node, ast.ClassDef):
        yield from _block(node.body, 'body', path, f'{scope}.{node.name}'.lstrip('.'), True)
        return
    if isinstance(node, FUNCTIONS):
        yield from _function(node, path, f'{scope}.{node.name}'.lstrip('.'))
        return
    init = scope.rpartition('.')[2] == '__init__'
    place = Place(scope, ast.unparse(header(node)), _lines(node), at_import, init)
    for operator, new in statement_changes(node, place.in_init):
        yield path, header(node), place, operator, new
    if isinstance(node, ast.Raise) or _assigns_all(node):
        return
    for name, value in ast.iter_fields(node):
        if name in ('body', 'orelse', 'finalbody'):
            yield from _block(value, name, path, scope, at_import)
        elif name == 'handlers':
            for i, handler in enumerate(value):
                inner = (*path, (name, i))
                yield from _block(handler.body, 'body', inner, scope, at_import)
        elif name != 'annotation':
            yield from _children(name, value, path, place)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, path: Path, scope: str) -> Found:
    named = node.args.posonlyargs + node.args.args
    sides = [
        ('defaults', node.args.defaults, named[len(named) - len(node.args.defaults) :]),
        ('kw_defaults', node.args.kw_defaults, node.args.kwonlyargs),
    ]
    lines = node.body[0].lineno, node.end_lineno or node.lineno
    for name, values, arguments in sides:
        for i, (value, argument) in enumerate(zip(values, arguments, strict=True)):
            if value is not None:
                place = Place(scope, f'default of {argument.arg}', lines, False)
                yield from _expression(value, (*path, ('args', None), (name, i)), place)
    yield from _block(node.body, 'body', path, scope, False)


def _children(name: str, value: object, path: Path, place: Place) -> Found:
    if isinstance(value, list):
        for i, child in enumerate(value):
            if isinstance(child, ast.AST):
                yield from _expression(child, (*path, (name, i)), place)
    elif isinstance(value, ast.AST):
        yield from _expression(value, (*path, (name, None)), place)


def _expression(node: ast.AST, path: Path, place: Place) -> Found:
    for operator, new in expression_changes(node):
        yield path, node, place, operator, new
    for name, value in ast.iter_fields(node):
        left_out = name in ('format_spec', 'annotation', 'op', 'ops', 'ctx')
        is_message = name == 'args' and isinstance(node, ast.Call) and call_name(node) in MESSAGES
        if isinstance(node, ast.Lambda):
            if name == 'body':
                inner = Place(place.scope, place.statement, place.lines, False)
                yield from _expression(node.body, (*path, ('body', None)), inner)
        elif not left_out and not is_message:
            yield from _children(name, value, path, place)


def header(node: ast.stmt) -> ast.stmt:
    """Return a statement, a compound one with an empty body."""
    if not hasattr(node, 'body'):
        return node
    short = copy.copy(node)
    short.body = [ast.Pass()]
    for name in ('orelse', 'handlers', 'finalbody'):
        if hasattr(node, name):
            setattr(short, name, [])
    if isinstance(node, ast.Try):
        short.finalbody = [ast.Pass()]
    return short


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _assigns_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '__all__'


def _lines(node: ast.stmt) -> tuple[int, int]:
    body = getattr(node, 'body', None)
    last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
    return node.lineno, last or node.lineno
