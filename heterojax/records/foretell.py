"""Stand-ins for a record before there is one, for conditions over it.

They have the names, the lengths and the types that the record will have as far
as they are known, and no value means anything.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import typing
from typing import Any, NamedTuple

from heterojax.records import codec


class Known(NamedTuple):
  """What is known of a record to come.

  Attributes:
    lengths: name of a length to that length, or to one for each entry of the
      list around it; lists of others have any.
    names: name of a mapping, or key of `Named` or `Flat`, to its names; others
      have any, or all that the program knows.
    nowhere: names of fields that are left out wherever they would be.
    absent: paths of fields that are left out, as `sizes.folds.fuzzifiers`; of
      several records, the first of which no field is left out stands there.
    null: paths of fields that will be null.
  """

  lengths: Mapping[str, int | tuple[int, ...]] = {}
  names: Mapping[str, Sequence[str]] = {}
  nowhere: frozenset[str] = frozenset()
  absent: frozenset[str] = frozenset()
  null: frozenset[str] = frozenset()

  def of(self, mark: codec.Named | codec.Flat) -> Sequence[str]:
    """The names of a mapping that the program knows."""
    return self.names.get(mark.key) or mark.names()

  def varies(self, length: int) -> bool:
    """Whether entries of a list of this length have lengths of their own."""
    return any(
      isinstance(n, tuple) and len(n) == length for n in self.lengths.values()
    )

  def at(self, index: int, length: int) -> 'Known':
    """What is known within an entry of a list of this length."""
    lengths = {
      name: n[index] if isinstance(n, tuple) and len(n) == length else n
      for name, n in self.lengths.items()
    }
    return self._replace(lengths=lengths)


class Fields(dict):
  """Fields, and the reason why one is null as a text of its own."""

  def __missing__(self, name: Any) -> str:
    if str(name).endswith('_why') and str(name).removesuffix('_why') in self:
      return ''
    raise KeyError(name)


class AnyName(dict):
  """Names that only the data know, as those of classes."""

  def __init__(self, value: Any):
    super().__init__()
    self._value = value

  def __missing__(self, name: Any) -> Any:
    return '' if str(name).endswith('_why') else self._value


class AnyLength(list):
  """A list whose length is not known: the same entry at every index."""

  def __getitem__(self, index: Any) -> Any:
    if not isinstance(index, int):
      return super().__getitem__(index)
    return super().__getitem__(0)


class Anything:
  """What only the data know."""

  def _self(self, *_: Any) -> 'Anything':
    return self

  __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = _self
  __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = _self
  __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _self  # pyright: ignore[reportAssignmentType]
  __hash__ = None  # pyright: ignore[reportAssignmentType]


def foretell(record: type, known: Known) -> dict[str, Any]:
  """Stand-ins for all of a record.

  Args:
    record: its type.
    known: what is known of it.

  Returns:
    A tree. A list of unknown length has an entry at every index.
  """
  return _value(codec.shape(record), known, '')


def _value(expected: codec.Shape, known: Known, path: str) -> Any:
  kind = expected.kind
  origin, args = typing.get_origin(kind), typing.get_args(kind)
  if kind is Any:
    return Anything()
  if origin is tuple:
    kinds = [codec.shape(k) for k in args if k is not ...]
    length = known.lengths.get(expected.mark)
    if args[-1] is ... and isinstance(length, int):
      if known.varies(length):
        within = [known.at(i, length) for i in range(length)]
        return [_value(kinds[0], entry, path) for entry in within]
      # A thousand clusters would have a million test clusters.
      return [_value(kinds[0], known, path)] * length
    inner = [_value(k, known, path) for k in kinds]
    return AnyLength(inner) if args[-1] is ... else inner
  if origin is not None and issubclass(origin, Mapping):
    inner = codec.shape(args[1])
    names = known.names.get(expected.mark)
    if isinstance(expected.mark, codec.Named):
      names = known.of(expected.mark)
    if names is None:
      return AnyName(_value(inner, known, path))
    return Fields({name: _value(inner, known, path) for name in names})
  if records := codec.alternatives(kind):
    kind = next(r for r in records if not _lacks(r, known, path))
  if dataclasses.is_dataclass(kind):
    return _fields(typing.cast(type, kind), known, path)
  return '' if kind is str else 1


def _lacks(record: type, known: Known, path: str) -> bool:
  return any(f'{path}.{name}' in known.absent for name in codec.fields(record))


def _fields(record: type, known: Known, path: str) -> Fields:
  spread, tree = codec.flat(record), Fields()
  for name, expected in codec.fields(record).items():
    here = f'{path}.{name}'.removeprefix('.')
    if name == spread:
      inner = codec.shape(typing.get_args(expected.kind)[1])
      tree |= {n: _value(inner, known, here) for n in known.of(expected.mark)}
    elif here in known.null:
      tree[name] = None
    elif here not in known.absent and name not in known.nowhere:
      tree[name] = _value(expected, known, here)
  return tree
