"""Conditions over `results.json`, as in --fail_if='overall.accuracy < 0.9'."""

import ast
from collections.abc import Callable
import itertools
import operator
from typing import Any

from heterojax.errors import UserError

_COMPARISONS = {
  ast.Lt: operator.lt,
  ast.LtE: operator.le,
  ast.Gt: operator.gt,
  ast.GtE: operator.ge,
  ast.Eq: operator.eq,
  ast.NotEq: operator.ne,
}
_ARITHMETIC = {
  ast.Add: operator.add,
  ast.Sub: operator.sub,
  ast.Mult: operator.mul,
  ast.Div: operator.truediv,
}
_PATHS = (ast.Name, ast.Attribute, ast.Subscript)
_REPEATABLE = (str, bytes, list)
# Products of longer numbers take for ever.
_LONGEST = 10_000


def of(text: str | None) -> Callable[[dict[str, Any]], bool]:
  """A condition as a function of the results; None never holds.

  Raises:
    UserError: see `parse`.
  """
  if text is None:
    return lambda results: False
  tree = parse(text)
  return lambda results: holds(tree, results, text)


def parse(text: str) -> ast.expr:
  """Checks an expression before a study is spent on it.

  Args:
    text: comparisons of numbers and of fields such as `clusters[0].size`,
      joined by `and`, `or`, `not`.

  Returns:
    Its syntax tree.

  Raises:
    UserError: if it is anything else.
  """
  if len(text) > _LONGEST:
    raise _error(
      f'{text[:100]}...', f'it is longer than {_LONGEST:,} characters'
    )
  try:
    tree = ast.parse(text.strip(), mode='eval').body
  # The last two are how the parser gives up on deep nesting.
  except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
    raise _error(text, str(error)) from error
  allowed = (
    ast.BoolOp,
    ast.boolop,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.Compare,
    *_COMPARISONS,
    ast.BinOp,
    *_ARITHMETIC,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.Load,
  )
  for node in ast.walk(tree):
    if not isinstance(node, allowed):
      raise _error(text, f'{type(node).__name__} is not allowed')
  return tree


def check(text: str | None, stand_ins: dict[str, Any]) -> None:
  """Checks that results of a study will have what a condition names.

  Args:
    text: see `parse`; None names nothing.
    stand_ins: what the results will hold as far as that is known, see
      `records.foretell`.

  Raises:
    UserError: if they cannot have it, or if it cannot be compared.
  """
  if text is None:
    return
  # What is inside comes first, so that the message is of the first mistake.
  for node in reversed([*ast.walk(parse(text))]):
    if isinstance(node, ast.Compare):
      # All of `0 < a < b`, whichever the stand-ins would decide by.
      values = [node.left, *node.comparators]
      checked = [
        ast.Compare(a, [op], [b])
        for (a, b), op in zip(itertools.pairwise(values), node.ops, strict=True)
      ]
    elif isinstance(node, (*_PATHS, ast.BinOp, ast.UnaryOp)):
      checked = [node]
    else:
      continue
    for part in checked:
      try:
        _value(part, stand_ins)
      except (LookupError, TypeError) as error:
        raise _error(text, _why_not(part, stand_ins, error)) from error
      # Depends on the values, which are not known.
      except ArithmeticError:
        continue
      except (RecursionError, MemoryError) as error:
        raise _error(text, type(error).__name__) from error


def _why_not(
  node: ast.expr, stand_ins: dict[str, Any], error: Exception
) -> str:
  """Why the results of the study have no such thing, in words."""
  shown = ast.unparse(node)
  if not isinstance(node, _PATHS):
    return f'{shown} is not of numbers'
  if isinstance(node, ast.Name):
    return f'they have no field {node.id!r}'
  whole, base = ast.unparse(node.value), _value(node.value, stand_ins)
  if isinstance(base, list):
    if isinstance(error, IndexError):
      return f'there is no {shown}, {whole} has {len(base)} entries'
    return f'{whole} is a list, of which {whole}[0] is the first'
  if isinstance(base, dict):
    name = node.attr if isinstance(node, ast.Attribute) else shown
    return f'{whole} has no field {name!r}'
  if base is None:
    return f'{whole} is null with these settings'
  return f'{whole} has no fields'


def holds(tree: ast.expr, results: dict[str, Any], text: str) -> bool:
  """Whether a parsed condition is true of the results.

  Raises:
    UserError: if it names what the results do not hold.
  """
  try:
    return bool(_value(tree, results))
  # A long sum nests too deeply.
  except (
    LookupError,
    TypeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
  ) as error:
    raise _error(text, f'{type(error).__name__}: {error}') from error


def _value(node: ast.expr, results: dict[str, Any]) -> Any:
  match node:
    case ast.Constant():
      return node.value
    case ast.Name():
      return results[node.id]
    case ast.Attribute():
      return _value(node.value, results)[node.attr]
    case ast.Subscript():
      return _value(node.value, results)[_value(node.slice, results)]
    case ast.UnaryOp():
      value = _value(node.operand, results)
      return not value if isinstance(node.op, ast.Not) else -value
    case ast.BoolOp():
      values = (_value(v, results) for v in node.values)
      return all(values) if isinstance(node.op, ast.And) else any(values)
    case ast.BinOp() if type(node.op) in _ARITHMETIC:
      left, right = (_value(v, results) for v in (node.left, node.right))
      # 'a' * 10**11 would be made.
      if isinstance(left, _REPEATABLE) or isinstance(right, _REPEATABLE):
        raise TypeError('text and lists cannot be calculated with')
      return _ARITHMETIC[type(node.op)](left, right)
    case ast.Compare():
      values = [_value(v, results) for v in (node.left, *node.comparators)]
      return all(
        _COMPARISONS[type(op)](a, b)
        for op, (a, b) in zip(node.ops, itertools.pairwise(values), strict=True)
      )
  raise TypeError(f'{type(node).__name__} is not allowed')


def _error(text: str, why: str) -> UserError:
  return UserError(
    f'--fail_if={text!r} is not a condition over results.json ({why}):'
    " compare fields with numbers or texts, as in 'overall.accuracy < 0.9' or"
    ' \'verdict.answer == "yes"\'.'
  )
