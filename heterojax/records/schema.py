"""The JSON Schema (draft 2020-12) of a record."""

from collections.abc import Mapping
import dataclasses
import inspect
import types
import typing
from typing import Any

from heterojax.records import codec

_SIMPLE = {
  str: 'string',
  bool: 'boolean',
  int: 'integer',
  float: 'number',
  codec.Number: 'number',
  types.NoneType: 'null',
}
_REASON = {'type': 'string'}


def schema(record: type, title: str) -> dict[str, Any]:
  """What a file of this record must be.

  Args:
    record: its type; the docstrings of records are the descriptions.
    title: of the schema.

  Returns:
    The schema, ready for JSON.
  """
  definitions: dict[str, Any] = {}
  root = _value(codec.shape(record), definitions)
  return {
    '$schema': 'https://json-schema.org/draft/2020-12/schema',
    'title': title,
    **root,
    '$defs': dict(sorted(definitions.items())),
  }


def _value(
  expected: codec.Shape, definitions: dict[str, Any]
) -> dict[str, Any]:
  kind = expected.kind
  origin, args = typing.get_origin(kind), typing.get_args(kind)
  if kind is Any:
    return {}
  if origin is tuple:
    inner = [_value(codec.shape(k), definitions) for k in args if k is not ...]
    if args[-1] is ...:
      found = {'type': 'array', 'items': inner[0]}
    else:
      n = len(inner)
      found = {
        'type': 'array',
        'prefixItems': inner,
        'minItems': n,
        'maxItems': n,
      }
  elif origin is not None and issubclass(origin, Mapping):
    inner = _entry(codec.shape(args[1]), definitions)
    found = {'type': 'object', 'additionalProperties': inner}
  elif records := codec.alternatives(kind):
    kinds = [_value(codec.shape(r), definitions) for r in records]
    found = {'anyOf': kinds}
  elif dataclasses.is_dataclass(kind):
    name = typing.cast(type, kind).__name__
    if name not in definitions:
      definitions[name] = {}  # It may hold itself.
      definitions[name] = _record(typing.cast(type, kind), definitions)
    found = {'$ref': f'#/$defs/{name}'}
  else:
    found = {'type': _SIMPLE[kind]}
  return found


def _entry(
  expected: codec.Shape, definitions: dict[str, Any]
) -> dict[str, Any]:
  """What stands behind a name: the value, null, or (of a mapping) a reason."""
  found = _value(expected, definitions)
  others = []
  if expected.may_miss or expected.optional:
    others.append({'type': 'null'})
  if expected.may_miss or expected.partly:
    others.append(_REASON)
  return {'anyOf': [found, *others]} if others else found


def _record(record: type, definitions: dict[str, Any]) -> dict[str, Any]:
  spread, properties, required = codec.flat(record), {}, []
  found: dict[str, Any] = {'type': 'object'}
  if text := inspect.getdoc(record):
    found['description'] = text.split('\n\n')[0].replace('\n', ' ')
  defaults = {f.name: f.default for f in dataclasses.fields(record)}
  for name, expected in codec.fields(record).items():
    if name == spread:
      inner = codec.shape(typing.get_args(expected.kind)[1])
      found['additionalProperties'] = _entry(inner, definitions)
      continue
    properties[name] = _value(expected, definitions)
    if expected.may_miss or expected.optional:
      properties[name] = {'anyOf': [properties[name], {'type': 'null'}]}
    if expected.may_miss or expected.partly:
      properties[f'{name}_why'] = _REASON
    if not expected.optional and defaults[name] is dataclasses.MISSING:
      required.append(name)
  return found | {'properties': properties, 'required': required}
