"""The operators: what is put in the place of a statement or of an expression."""

import ast
import copy
from collections.abc import Iterator

Change = tuple[str, ast.AST]

COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}  # fmt: skip
CALLS = {'min': 'max', 'any': 'all', 'startswith': 'endswith', 'argmin': 'argmax'}
CALLS |= {new: old for old, new in CALLS.items()}
#: comparisons whose flip is their negation
INVERTIBLE = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)


def statement_changes(node: ast.stmt, in_init: bool) -> Iterator[Change]:
    """Yield what a statement can be replaced by; names of the operators and new nodes."""
    removed = 'remove ' + type(node).__name__
    called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if called or isinstance(node, ast.Raise | ast.AugAssign):
        yield removed, ast.Pass()
    elif isinstance(node, ast.Assign):
        kinds = (ast.Subscript,) if in_init else (ast.Subscript, ast.Attribute)
        if all(isinstance(target, kinds) for target in node.targets):
            yield removed, ast.Pass()
    elif isinstance(node, ast.Break):
        yield 'break to continue', ast.Continue()
    elif isinstance(node, ast.Continue):
        yield 'continue to break', ast.Break()
    elif isinstance(node, ast.Return) and not _is_none(node.value):
        yield 'return None', ast.Return(ast.Constant(None))
    listed = isinstance(node, ast.AugAssign) and isinstance(node.value, ast.List | ast.ListComp)
    if isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC and not listed:
        swapped = copy.copy(node)
        swapped.op = ARITHMETIC[type(node.op)]()
        yield 'arithmetic', swapped
    if isinstance(node, ast.If | ast.While):
        for operator, test in _negated(node.test):
            changed = copy.copy(node)
            changed.test = test
            yield operator, changed


def expression_changes(node: ast.AST) -> Iterator[Change]:
    """Yield what an expression can be replaced by."""
    match node:
        case ast.Compare():
            for i, kind in enumerate(node.ops):
                new = copy.copy(node)
                new.ops = [*node.ops[:i], COMPARE[type(kind)](), *node.ops[i + 1 :]]
                yield f'compare {i}', new
        case ast.BoolOp():
            kind = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield 'and or', ast.BoolOp(kind(), node.values)
        case ast.BinOp():
            yield from _binary(node)
        case ast.UnaryOp(op=ast.Not() | ast.Invert()):
            yield 'remove not', node.operand
        case ast.UnaryOp(op=ast.USub()) if not isinstance(node.operand, ast.Constant):
            yield 'remove minus', node.operand
        case ast.IfExp():
            for operator, test in _negated(node.test):
                yield operator, ast.IfExp(test, node.body, node.orelse)
        case ast.Constant(value=bool()):
            yield 'constant', ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield 'constant', ast.Constant(node.value + 1)
        case ast.Slice():
            for name in ('lower', 'upper'):
                yield from _bound(node, name)
        case ast.Call():
            yield from _call(node)


def _negated(test: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    flipped = isinstance(test, ast.Compare) and len(test.ops) == 1
    if flipped and isinstance(test.ops[0], INVERTIBLE):
        return
    if not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
        yield 'negate condition', ast.UnaryOp(ast.Not(), test)


def _binary(node: ast.BinOp) -> Iterator[Change]:
    sides = node.left, node.right
    if any(isinstance(side, ast.JoinedStr) or _is_text(side) or _is_none(side) for side in sides):
        return  # text, or a type
    if isinstance(node.op, ast.Add) and any(isinstance(s, ast.List | ast.Tuple) for s in sides):
        yield 'drop right', node.left
    elif type(node.op) in ARITHMETIC:
        yield 'arithmetic', ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)


def _bound(node: ast.Slice, name: str) -> Iterator[Change]:
    bound = getattr(node, name)
    if bound is None or (isinstance(bound, ast.Constant) and not bound.value):
        return
    dropped, moved = copy.copy(node), copy.copy(node)
    setattr(dropped, name, None)
    yield f'drop {name} bound', dropped
    if not isinstance(bound, ast.Constant):
        setattr(moved, name, ast.BinOp(bound, ast.Add(), ast.Constant(1)))
        yield f'move {name} bound', moved


def _call(node: ast.Call) -> Iterator[Change]:
    name = call_name(node)
    if name in CALLS:
        new = copy.copy(node)
        new.func = copy.copy(node.func)
        setattr(new.func, 'id' if isinstance(node.func, ast.Name) else 'attr', CALLS[name])
        yield 'call', new
    if name == 'sorted' and isinstance(node.func, ast.Name):
        yield 'unsorted', ast.Call(ast.Name('list', ast.Load()), node.args[:1], [])


def call_name(node: ast.Call) -> str:
    """Return the name of what is called, without what it belongs to."""
    return getattr(node.func, 'id', getattr(node.func, 'attr', ''))


def _is_none(node: ast.AST | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
