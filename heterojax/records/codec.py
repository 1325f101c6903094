"""Records that are a JSON file: written and read by their types alone.

A record is a frozen dataclass, which may raise a ValueError for values that do
not fit together. What its annotations say is what the file holds:

  `float | Missing`      a number; where it cannot be estimated null, and the
                         reason beside it as `<name>_why`
  `Partly[X]`            a value, and beside it why a part of it is unknown
  `X | None`             a field that may be left out (an entry: null)
  `X | None = None`      the same, which files of earlier releases lack
  `X | Y`                one of several records, told apart by their fields: the
                         first of which none lacks, nor all of `Flat`
  `Annotated[tuple[X, ...], 'K']`          a list of a length that has a name
  `Annotated[Mapping[str, X], 'classes']`  names that only the data know
  `Annotated[Mapping[str, X], Named(...)]` names that the program knows
  `Annotated[Mapping[str, X], Flat(...)]`  the same, as fields of the record

Libraries that were tried (msgspec, cattrs, pydantic) know neither nulls with a
reason beside them nor stand-ins (`foretell`), and change 3 into 3.0 where both
may stand.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
import dataclasses
import functools
import math
import operator
import sys
import types
import typing
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

T = TypeVar('T')


@dataclasses.dataclass(frozen=True)
class Missing:
  """A value that cannot be estimated, and why."""

  why: str


@dataclasses.dataclass(frozen=True)
class Partly(Generic[T]):
  """A value of which a part is unknown; `why` is '' where all of it is known.

  A list with nulls has one reason for all of them; a count that is a lower
  bound has the reason why it may be larger.
  """

  value: T
  why: str = ''


class Named(NamedTuple):
  """Marks a mapping by the names that a new record has; a file may have others.

  Attributes:
    names: gives them in order.
    key: under which fewer of them may be known, see `foretell.Known`.
  """

  names: Callable[[], Sequence[str]]
  key: str = ''


class Flat(NamedTuple):
  """Marks a mapping whose entries are fields of the record that has it.

  Attributes:
    names: as of `Named`.
    key: likewise.
  """

  names: Callable[[], Sequence[str]]
  key: str = ''


Number = int | float
Estimate = Number | Missing
Interval = tuple[float, float]

# What JSON may have for a type, and what that is called.
_PLAIN: dict[Any, tuple[Any, str]] = {
  bool: (bool, 'true or false'),
  int: (int, 'a whole number'),
  float: ((int, float), 'a number'),
  Number: ((int, float), 'a number'),
  str: (str, 'text'),
}


class Mismatch(ValueError):
  """A file that is not what its record says; names the field."""


def known(value: T | Missing) -> T | None:
  """The value, or None where it could not be estimated."""
  return None if isinstance(value, Missing) else value


def why(value: object) -> str:
  """Why a value, or a part of it, is not known; '' where it is."""
  return value.why if isinstance(value, (Missing, Partly)) else ''


def estimate(value: Number | None, reason: str) -> float | Missing:
  """A finite number as it is, anything else with the reason.

  Args:
    value: a number, NaN, infinite or None.
    reason: why it is not finite, if it is not.

  Returns:
    The estimate.
  """
  if value is not None and math.isfinite(value):
    return float(value)
  return Missing(reason)


def estimates(values: Sequence[Any], reason: str) -> Partly[tuple[Any, ...]]:
  """Finite numbers as they are, null for others, and the reason for those.

  Args:
    values: numbers, or lists of them as deep as they are.
    reason: why some are not finite, if any is not.

  Returns:
    The estimates.
  """
  missing = False

  def finite(value: Any) -> Any:
    nonlocal missing
    if isinstance(value, (list, tuple)):
      return tuple(map(finite, value))
    if value is not None and math.isfinite(value):
      return float(value)
    missing = True
    return None

  numbers = finite(tuple(values))
  return Partly(numbers, reason if missing else '')


class Shape(NamedTuple):
  """What an annotation says.

  Attributes:
    kind: the type of a value that is there: a class, a generic alias, or a
      union of records.
    optional: whether None may stand for it.
    may_miss: whether Missing may stand for it.
    partly: whether it is wrapped in Partly.
    mark: what else `Annotated` says; None without.
  """

  kind: Any
  optional: bool = False
  may_miss: bool = False
  partly: bool = False
  mark: Any = None


def shape(annotation: Any) -> Shape:
  """Takes an annotation apart."""
  origin, args = typing.get_origin(annotation), typing.get_args(annotation)
  if origin is Annotated:
    return shape(args[0])._replace(mark=args[1])
  if origin in (types.UnionType, typing.Union):
    kinds = [k for k in args if k not in (types.NoneType, Missing)]
    if set(kinds) == {int, float}:
      inner = Shape(Number)
    elif len(kinds) > 1:
      inner = Shape(functools.reduce(operator.or_, kinds))
    else:
      inner = shape(kinds[0])
    return inner._replace(
      optional=inner.optional or types.NoneType in args,
      may_miss=inner.may_miss or Missing in args,
    )
  if origin is Partly:
    return shape(args[0])._replace(partly=True)
  return Shape(annotation)


def alternatives(kind: Any) -> tuple[type, ...]:
  """The records of a union of records; () for any other kind."""
  records = typing.get_args(kind) if isinstance(kind, types.UnionType) else ()
  return records if all(map(dataclasses.is_dataclass, records)) else ()


@functools.cache
def fields(record: type) -> dict[str, Shape]:
  """Name to shape of every field of a record."""
  hints = typing.get_type_hints(record, include_extras=True)
  return {f.name: shape(hints[f.name]) for f in dataclasses.fields(record)}


def flat(record: type) -> str:
  """The field whose entries are fields of the record; '' without one."""
  flat = [n for n, s in fields(record).items() if isinstance(s.mark, Flat)]
  return flat[0] if flat else ''


def encode(value: Any) -> Any:
  """A record, or a part of one, as JSON can write it.

  Raises:
    ValueError: if a value, or a part of one, is missing and nothing says why.
  """
  if dataclasses.is_dataclass(value) and not isinstance(value, type):
    spread = flat(type(value))
    tree: dict[str, Any] = {}
    for name in fields(type(value)):
      inner = getattr(value, name)
      if name == spread:
        tree |= encode(inner)
      elif inner is not None:
        tree |= _entry(name, inner)
    return tree
  if isinstance(value, Mapping):
    tree = {}
    for name, inner in value.items():
      tree |= _entry(name, inner)
    return tree
  if isinstance(value, (tuple, list)):
    return [encode(inner) for inner in value]
  return value


def _entry(name: str, value: Any) -> dict[str, Any]:
  """A field, and beside it the reason where it has one."""
  partly = isinstance(value, Partly)
  known_part = value.value if partly else value
  tree = None if isinstance(value, Missing) else encode(known_part)
  reason = why(value)
  if not reason and (isinstance(value, Missing) or partly and _lacks(tree)):
    raise ValueError(f'{name} is missing, and nothing says why')
  return {name: tree} | ({f'{name}_why': reason} if reason else {})


def _lacks(tree: Any) -> bool:
  """Whether a value, or any of a list however deep, is null."""
  return any(map(_lacks, tree)) if isinstance(tree, list) else tree is None


def decode(kind: type[T], tree: Any, path: str = 'results') -> T:
  """A record from JSON.

  Args:
    kind: of the record.
    tree: parsed JSON. Fields that the record does not have are passed over.
    path: what to call the tree.

  Returns:
    The record.

  Raises:
    Mismatch: if a field lacks or is of another type.
  """
  return _value(shape(kind), tree, path)


def _value(expected: Shape, tree: Any, path: str) -> Any:
  """A value that is there."""
  kind = expected.kind
  origin, args = typing.get_origin(kind), typing.get_args(kind)
  if tree is None and expected.optional:
    return None
  if origin is tuple:
    if not isinstance(tree, list):
      raise Mismatch(f'{path} is {tree!r:.60}, not a list')
    inner = [shape(k) for k in args if k is not ...]
    if args[-1] is ...:
      inner *= len(tree)
    elif len(inner) != len(tree):
      raise Mismatch(f'{path} has {len(tree)} entries, not {len(inner)}')
    return tuple(
      _value(k, v, f'{path}[{i}]')
      for i, (k, v) in enumerate(zip(inner, tree, strict=True))
    )
  if origin is not None and issubclass(origin, Mapping):
    fields_ = _object(tree, path)
    return _mapping(shape(args[1]), fields_, list(fields_), path)
  if kind is Any:
    return tree
  if records := alternatives(kind):
    there = _object(tree, path).keys()
    kind = next((r for r in records if _may_be(r, there)), records[-1])
  if dataclasses.is_dataclass(kind):
    return _record(typing.cast(type, kind), _object(tree, path), path)
  allowed, name = _PLAIN[kind]
  flag = isinstance(tree, bool) and kind is not bool
  if not isinstance(tree, allowed) or flag or not _finite(tree):
    raise Mismatch(f'{path} is {tree!r:.60}, not {name}')
  return tree


def _finite(value: Any) -> bool:
  """False for a number that is none, or that no float can hold."""
  if not isinstance(value, (int, float)):
    return True
  return abs(value) <= sys.float_info.max


def _object(tree: Any, path: str) -> dict[str, Any]:
  if not isinstance(tree, dict):
    raise Mismatch(f'{path} is {tree!r:.60}, not an object')
  return tree


def _may_be(record: type, there: Collection[str]) -> bool:
  """Whether a file with these names may be a record."""
  spread = fields(record).get(flat(record))
  some = not spread or any(name in there for name in spread.mark.names())
  return some and _required(record) <= set(there)


def _required(record: type) -> set[str]:
  """Names that a file of this record must have."""
  return {
    f.name
    for f in dataclasses.fields(record)
    if f.default is dataclasses.MISSING
    and f.name != flat(record)
    and not fields(record)[f.name].optional
  }


def _record(kind: type, tree: dict[str, Any], path: str) -> Any:
  spread, values = flat(kind), {}
  without = {
    f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING
  }
  for name, expected in fields(kind).items():
    if name == spread:
      names = [key for key in tree if key not in fields(kind)]
      inner = shape(typing.get_args(expected.kind)[1])
      values[name] = _mapping(inner, tree, names, path)
    elif name in tree:
      values[name] = _sibling(expected, tree, name, path)
    elif expected.optional and name in without:
      values[name] = None
    elif name in without:
      raise Mismatch(f'{path} has no field {name}')
  try:
    return kind(**values)
  except ValueError as error:
    raise Mismatch(f'{path} {error}') from error


def _mapping(
  expected: Shape, tree: dict[str, Any], names: Sequence[str], path: str
) -> dict[str, Any]:
  """Entries of a mapping; a reason is none where a value may have one."""
  reasons = expected.may_miss or expected.partly
  return {
    name: _sibling(expected, tree, name, path)
    for name in names
    if not (reasons and name.endswith('_why') and name[:-4] in tree)
  }


def _sibling(
  expected: Shape, tree: dict[str, Any], name: str, path: str
) -> Any:
  """A field with the reason that may stand beside it."""
  here = f'{path}.{name}'
  if not (expected.may_miss or expected.partly):
    return _value(expected, tree[name], here)
  reason = _value(Shape(str), tree.get(f'{name}_why', ''), f'{here}_why')
  if tree[name] is None and expected.may_miss:
    if not reason:
      raise Mismatch(f'{here} is null, and nothing says why')
    return Missing(reason)
  value = _value(expected, tree[name], here)
  return (
    Partly(value, reason) if expected.partly and value is not None else value
  )
