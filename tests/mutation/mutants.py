"""Small changes of functions, and how a running process gets one.

Only code changes, not functions themselves, so that whoever has one already,
as what JAX will trace, has the change.
"""

import ast
from collections.abc import Iterator
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


class Mutant(NamedTuple):
  """A change of one place.

  Attributes:
    path: of the module, relative to the package.
    line: of the place.
    what: the change, as 'a < b -> a <= b'.
    number: of the place among those of the module.
  """

  path: str
  line: int
  what: str
  number: int


def of(package: pathlib.Path, path: str) -> list[Mutant]:
  """All of a module's functions."""
  tree, found = ast.parse((package / path).read_text()), []
  for number, node in enumerate([*_places(tree)]):
    before = ast.unparse(node)
    _change(node)
    found.append(
      Mutant(path, node.lineno, f'{before} -> {ast.unparse(node)}', number)
    )
  return found


def put(package: pathlib.Path, mutant: Mutant) -> int:
  """Makes the change in this process; returns how many functions have it."""
  file = package / mutant.path
  tree = ast.parse(file.read_text())
  before = {_name(c): c for c in _codes(compile(tree, str(file), 'exec'))}
  _change([*_places(tree)][mutant.number])
  changed = {
    _name(code): code
    for code in _codes(
      compile(ast.fix_missing_locations(tree), str(file), 'exec')
    )
    if code != before[_name(code)]
  }
  number = 0
  for function in gc.get_objects():
    if not isinstance(function, FunctionType):
      continue
    code = function.__code__
    if code.co_filename == str(file) and _name(code) in changed:
      function.__code__ = changed[_name(code)]
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
      for node in ast.walk(line):
        if isinstance(node, ast.expr) and id(node) not in seen:
          seen.add(id(node))
          if _is_place(node):
            yield node


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
    case ast.Attribute(attr=name) | ast.Name(id=name):
      return name in _NAMES
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
