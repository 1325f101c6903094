"""Small changes of functions, and how a running process gets one.

Only code changes, not functions themselves, so that whoever has one already,
as what JAX will trace, has the change.
"""

import ast
import builtins
from collections.abc import Iterator
import functools
import gc
import pathlib
from types import CodeType
from types import FunctionType
from typing import NamedTuple

_COMPARISONS: dict[type, type] = {
  ast.Lt: ast.LtE,
  ast.LtE: ast.Lt,
  ast.Gt: ast.GtE,
  ast.GtE: ast.Gt,
  ast.Eq: ast.NotEq,
  ast.NotEq: ast.Eq,
  ast.Is: ast.IsNot,
  ast.IsNot: ast.Is,
  ast.In: ast.NotIn,
  ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type, type] = {
  ast.Add: ast.Sub,
  ast.Sub: ast.Add,
  ast.Mult: ast.Div,
  ast.Div: ast.Mult,
  ast.FloorDiv: ast.Mult,
  ast.Pow: ast.Mult,
  ast.BitAnd: ast.BitOr,
  ast.BitOr: ast.BitAnd,
}
_NAMES = {
  **{'min': 'max', 'max': 'min', 'any': 'all', 'all': 'any'},
  **{'argmin': 'argmax', 'argmax': 'argmin', 'floor': 'ceil', 'ceil': 'floor'},
  **{'minimum': 'maximum', 'maximum': 'minimum', 'zeros': 'ones'},
  **{'sum': 'mean', 'mean': 'sum', 'nanmean': 'mean', 'sorted': 'list'},
}
# Places of watched modules that were reached.
SEEN: set[tuple[str, int]] = set()


class Mutant(NamedTuple):
  """A change of one place.

  Attributes:
    path: of the module, relative to the package.
    line: of the place.
    column: of the place, from the beginning of its line's text.
    what: the change, as 'a < b -> a <= b'.
    number: of the place among those of the module.
  """

  path: str
  line: int
  column: int
  what: str
  number: int


def of(package: pathlib.Path, path: str) -> list[Mutant]:
  """All of a module's functions."""
  text = (package / path).read_text()
  tree, lines, found = ast.parse(text), text.splitlines(), []
  for number, node in enumerate([*_places(tree)]):
    before = ast.unparse(node)
    _change(node)
    line = lines[node.lineno - 1]
    column = node.col_offset - len(line) + len(line.lstrip())
    what = f'{before} -> {ast.unparse(node)}'
    found.append(Mutant(path, node.lineno, column, what, number))
  return found


def put(package: pathlib.Path, mutant: Mutant) -> int:
  """Makes the change in this process; returns how many functions have it."""
  file = package / mutant.path
  tree = ast.parse(file.read_text())
  _change([*_places(tree)][mutant.number])
  return _replace(file, tree)


def watch(package: pathlib.Path, path: str) -> None:
  """Adds `(path, number)` to `SEEN` when a place is reached, from now on."""
  file = package / path
  tree = ast.parse(file.read_text())
  _Watched(path, tree).visit(tree)
  setattr(builtins, _Watched.NAME, SEEN.add)
  _replace(file, tree)


@functools.cache
def functions() -> dict[str, list[FunctionType]]:
  """Those of this process by their files, as of the first call."""
  found: dict[str, list[FunctionType]] = {}
  for function in gc.get_objects():
    if isinstance(function, FunctionType):
      found.setdefault(function.__code__.co_filename, []).append(function)
  return found


class _Watched(ast.NodeTransformer):
  """Puts a call before each place: `seen(...) or place`."""

  NAME = '_seen_by_mutation'

  def __init__(self, path: str, tree: ast.Module):
    self._path = path
    self._numbers = {id(node): n for n, node in enumerate(_places(tree))}

  def visit(self, node: ast.AST) -> ast.AST:
    node = self.generic_visit(node)
    if id(node) not in self._numbers:
      return node
    place = ast.Constant((self._path, self._numbers[id(node)]))
    call = ast.Call(ast.Name(self.NAME, ast.Load()), [place], [])
    return ast.BoolOp(ast.Or(), [call, node])


def _replace(file: pathlib.Path, tree: ast.Module) -> int:
  """Gives functions the code that they have in another tree of their file."""
  before = compile(file.read_text(), str(file), 'exec')
  after = compile(ast.fix_missing_locations(tree), str(file), 'exec')
  old = {_name(code): code for code in _codes(before)}
  new = {_name(c): c for c in _codes(after) if c != old[_name(c)]}
  number = 0
  for function in functions().get(str(file), ()):
    if code := new.get(_name(function.__code__)):
      function.__code__ = code
      number += 1
  return number


def _name(code: CodeType) -> tuple[str, int]:
  return code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
  yield code
  for inner in code.co_consts:
    if isinstance(inner, CodeType):
      yield from _codes(inner)


def _places(tree: ast.Module) -> Iterator[ast.expr]:
  """Expressions of functions that can be changed, in the order of the file."""
  functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
  seen: set[int] = set()
  for function in functions:
    for line in function.body:
      for node in _walk(line):
        if isinstance(node, ast.expr) and id(node) not in seen:
          seen.add(id(node))
          if _is_place(node):
            yield node


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
  """As `ast.walk`, but for what a change would say nothing about the tests.

  `zip(..., strict=True)` is there for mistakes that nobody has made yet, and
  what is no value, a pattern or an annotation, cannot be watched.
  """
  match tree:
    case ast.keyword(arg='strict') | ast.pattern():
      return
  yield tree
  for inner in ast.iter_child_nodes(tree):
    if inner is not getattr(tree, 'annotation', None):
      yield from _walk(inner)


def _is_place(node: ast.expr) -> bool:
  match node:
    case ast.Compare(ops=[operator]):
      return type(operator) in _COMPARISONS
    case ast.BinOp(left=ast.Constant(value=str())):
      return False
    case ast.BinOp(op=operator):
      return type(operator) in _ARITHMETIC
    case ast.BoolOp():
      return True
    case ast.UnaryOp(op=ast.Not() | ast.USub()):
      return True
    case ast.Constant(value=bool() | int() | float()):
      return True
    case ast.Attribute(attr=name, ctx=ast.Load()):
      return name in _NAMES
    case ast.Name(id=name, ctx=ast.Load()):  # No variable of that name.
      return name in _NAMES and hasattr(builtins, name)
  return False


def _change(node: ast.expr) -> None:
  """Changes an expression where it stands."""
  match node:
    case ast.Compare(ops=[operator]):
      node.ops = [_COMPARISONS[type(operator)]()]
    case ast.BinOp(op=operator):
      node.op = _ARITHMETIC[type(operator)]()
    case ast.BoolOp(op=operator):
      node.op = ast.Or() if isinstance(operator, ast.And) else ast.And()
    case ast.UnaryOp(op=ast.Not()):
      node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
    case ast.UnaryOp():
      node.op = ast.UAdd()
    case ast.Constant(value=bool(value)):
      node.value = not value
    case ast.Constant(value=int() | float() as value):
      node.value = value + 1 if isinstance(value, int) else value * 2 or 1.0
    case ast.Attribute(attr=name):
      node.attr = _NAMES[name]
    case ast.Name(id=name):
      node.id = _NAMES[name]
