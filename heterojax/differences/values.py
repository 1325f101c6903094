"""Two trees of values: which leaves are identical, close, or neither."""

from collections.abc import Iterator
import json
import math
import re
from typing import Any, NamedTuple

IDENTICAL = 'identical'
WITHIN = 'within the tolerance'
# Of checkpoints only digests are compared, and a digest is near no other.
OTHER_BITS = 'of other bits'
DIFFERENT = 'different'
VERDICTS = (IDENTICAL, WITHIN, OTHER_BITS, DIFFERENT)  # Each worse than before.
_ABSENT = 'absent'
# Clocks, what is compared by itself, and what stands for arrays that are.
_NOT_COMPARED = ('timings', 'environment', 'digests')


class Item(NamedTuple):
  """One thing that both runs have, or that one of them lacks.

  Attributes:
    kind: what it is a part of.
    name: which it is.
    verdict: one of `VERDICTS`.
    detail: how far apart the two are; empty if they are identical.
  """

  kind: str
  name: str
  verdict: str
  detail: str = ''


class Change(NamedTuple):
  """A setting, or a part of the environment, that is not the same."""

  name: str
  here: str
  there: str


def flatten(tree: Any) -> dict[str, Any]:
  """Leaves of nested dictionaries and lists, as `clusters[2].test.accuracy`.

  Args:
    tree: what JSON gives.

  Returns:
    Path to value; an empty dictionary or list is a leaf.
  """
  leaves, waiting = {}, [('', tree)]
  while waiting:
    path, value = waiting.pop()
    if isinstance(value, dict) and value:
      inner = [(path + _step(path, key), value[key]) for key in value]
    elif isinstance(value, list) and value:
      inner = [(f'{path}[{i}]', entry) for i, entry in enumerate(value)]
    else:
      leaves[path] = value
      continue
    waiting += reversed(inner)
  return leaves


def _step(path: str, key: str) -> str:
  if not re.fullmatch(r'\w+', key):  # A dot in it must not make it two.
    return f'[{key!r}]'
  return f'.{key}' if path else key


def relative(a: Any, b: Any) -> float:
  """|a - b| / max(1, |a|, |b|); infinite where only identity counts.

  Args:
    a: a leaf.
    b: another one. At least one must be a float, and both finite.

  Returns:
    0 or more.
  """
  if {type(a), type(b)} not in ({float}, {int, float}):
    return math.inf
  try:
    a, b = float(a), float(b)
  except OverflowError:
    return math.inf
  if not (math.isfinite(a) and math.isfinite(b)):
    return math.inf
  return abs(a - b) / max(1.0, abs(a), abs(b))


def close(difference: float, tolerance: float) -> str:
  """The verdict on what is not identical; nothing is close to tolerance 0."""
  return WITHIN if tolerance and difference <= tolerance else DIFFERENT


def judge(a: Any, b: Any, tolerance: float) -> str:
  """The verdict on two leaves; neither 1 and 1.0 nor 0.0 and -0.0 are one."""
  if type(a) is type(b) and repr(a) == repr(b):
    return IDENTICAL
  return close(relative(a, b), tolerance)


def items(kind: str, here: Any, there: Any, tolerance: float) -> Iterator[Item]:
  """Compares all fields of two trees but clocks and the environment.

  Args:
    kind: of the items.
    here: what a JSON file of a run holds.
    there: what that of another run holds.
    tolerance: see `relative`.

  Yields:
    An item per field that any of them has.
  """
  a, b = flatten(_compared(here)), flatten(_compared(there))
  for name in a | b:
    verdict = DIFFERENT
    if name in a and name in b:
      verdict = judge(a[name], b[name], tolerance)
    detail = ''
    if verdict != IDENTICAL:
      detail = f'{_shown(a, name)} here, {_shown(b, name)} there'
    yield Item(kind, name, verdict, detail)


def _compared(tree: Any) -> Any:
  if not isinstance(tree, dict):
    return tree
  return {k: v for k, v in tree.items() if k not in _NOT_COMPARED}


def changes(here: Any, there: Any) -> Iterator[Change]:
  """Leaves of two configurations or environments that are not the same."""
  a, b = flatten(here), flatten(there)
  for name in a | b:
    shown = _shown(a, name), _shown(b, name)
    if shown[0] != shown[1]:
      yield Change(name, *shown)


def _shown(leaves: dict[str, Any], name: str) -> str:
  return json.dumps(leaves[name]) if name in leaves else _ABSENT
